export * from './guards.js';
export * from './internal-auth.js';
export * from './problem.filter.js';
export * from './service.js';
export * from './validate.js';
