export * from './static-mpd.js';
