export * from './database.js';
export { testDir } from './environment.js';
export * from './metrics.js';
export { testPort } from './ports.js';
export * from './processes.js';
export * from './redis.js';
export { noS3Reason, S3_HOOK_MS, type S3Address, s3Address } from './s3-server.js';
export * from './stack.js';
export * from './wait.js';
