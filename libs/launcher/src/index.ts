export * from './child.js';
export * from './log-file.js';
export * from './ports.js';
export * from './postgres.js';
export * from './redis.js';
export * from './wait.js';
