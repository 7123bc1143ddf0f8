export * from './consumer.js';
export * from './producer.js';
export * from './rate-limiter.js';
export * from './redis.js';
