/** What is made once per process and injected by name. */
export const ENVIRONMENT = Symbol('environment');
export const LOGGER = Symbol('logger');
export const DATA_SOURCE = Symbol('data-source');
export const STORE = Symbol('store');
export const PRODUCER = Symbol('producer');
export const PROFILES = Symbol('profiles');
export const PUBLISHER = Symbol('publisher');
export const SCRATCH = Symbol('scratch');
