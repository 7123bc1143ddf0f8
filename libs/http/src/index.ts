export { addressOf } from './client-address.js';
export * from './guards.js';
export * from './internal-auth.js';
export { Limits, networkOf, type RequestKind } from './limits.js';
export * from './principal.js';
export * from './problem.filter.js';
export * from './service.js';
export * from './validate.js';
