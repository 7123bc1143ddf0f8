export * from './database.js';
export { testDir } from './environment.js';
export * from './metrics.js';
export * from './processes.js';
export * from './redis.js';
export * from './stack.js';
export * from './wait.js';
