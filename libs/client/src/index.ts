export * from './client.js';
export { type ClientErrorCode, type ClientErrorKind, SluiceClientError } from './errors.js';
export { checkFile, DEFAULT_LIMITS, type FileLimits, SERVICE_LIMITS } from './limits.js';
export { type FollowOptions, follow, type LiveEvent } from './live.js';
export type { SendOrder } from './ranges.js';
export * from './source.js';
