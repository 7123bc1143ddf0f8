export * from './load.js';
export * from './profiles.js';
export * from './schema.js';
