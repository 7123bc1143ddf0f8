export * from './client.js';
export { type ClientErrorCode, SluiceClientError } from './errors.js';
export type { SendOrder } from './ranges.js';
export * from './source.js';
