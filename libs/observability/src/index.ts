export { type Ids, withIds } from './ids.js';
export * from './logger.js';
export { type LabelsOf, METRICS } from './metrics/catalogue.js';
export * from './metrics/metrics.js';
export * from './store-watch.js';
export { openTracing } from './tracing/open.js';
export { beginSpan, type OpenSpan, traced, traceparent } from './tracing/trace.js';
