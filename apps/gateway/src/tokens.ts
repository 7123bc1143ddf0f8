export const CONTEXT = Symbol('context');
export const RESOURCES = Symbol('resources');
export const DATABASE = Symbol('database');
export const STORE = Symbol('store');
export const AUTHENTICATE = Symbol('authenticate');
export const API_KEYS = Symbol('api keys');
/** Of addresses of media. */
export const SIGNER = Symbol('playback signer');
