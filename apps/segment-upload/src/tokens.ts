export const CONTEXT = Symbol('CONTEXT');
export const RESOURCES = Symbol('RESOURCES');
export const DATABASE = Symbol('DATABASE');
export const STORE = Symbol('STORE');
