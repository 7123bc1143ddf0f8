export * from './batches.js';
export * from './choice.js';
export * from './errors.js';
export * from './events.js';
export * from './finishing.js';
export * from './http.js';
export * from './media.js';
export * from './queues.js';
