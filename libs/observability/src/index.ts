export * from './logger.js';
export { METRICS } from './metrics/catalogue.js';
export * from './metrics/metrics.js';
export * from './store-watch.js';
