export const CONTEXT = Symbol('context');
export const RESOURCES = Symbol('resources');
export const DATABASE = Symbol('database');
export const STORE = Symbol('store');
