export * from './bit-rate.js';
export * from './media-playlist.js';
export * from './multivariant.js';
export * from './track-names.js';
