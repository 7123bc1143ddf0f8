export * from './bytes.js';
export * from './drop-derived.js';
export * from './pace.js';
export * from './places.js';
export * from './plans.js';
export * from './release.js';
export * from './span-entries.js';
export * from './workers.js';
