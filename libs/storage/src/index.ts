export * from './directory-store.js';
export * from './open-store.js';
export * from './port.js';
export * from './send.js';
export * from './storage-environment.js';
