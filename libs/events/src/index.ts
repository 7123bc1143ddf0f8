export * from './publisher.js';
export * from './record.js';
