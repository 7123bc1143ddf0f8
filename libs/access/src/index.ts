export * from './api-keys.js';
export * from './authenticator.js';
export * from './playback.js';
export * from './reach.js';
export * from './secrets.js';
export * from './upload-tokens.js';
