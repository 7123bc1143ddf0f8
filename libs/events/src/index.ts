export * from './deliveries.js';
export * from './fail-job.js';
export * from './job-ended.js';
export * from './publisher.js';
export * from './record.js';
export * from './waiting-jobs.js';
