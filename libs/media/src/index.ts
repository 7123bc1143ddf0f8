export * from './hls/index.js';
