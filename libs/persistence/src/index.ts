/** What services need of TypeORM; they name no vendor. */
export { DataSource, EntityManager } from 'typeorm';
export * from './data-source.js';
export * from './entities/index.js';
export * from './listener.js';
