export * from './dash/index.js';
export * from './hls/index.js';
