export * from './consumer.js';
export * from './producer.js';
export * from './redis.js';
