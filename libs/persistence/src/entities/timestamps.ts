import { Column } from 'typeorm';

/**
 * Rows as TypeScript sees them; the DDL is in migrations/, the state machines in docs/model.md.
 * BIGINT arrives as a number (data-source.ts): sizes stay below 2^53.
 */
export abstract class Timestamps {
  @Column({ type: 'timestamptz', name: 'created_at', default: () => 'now()' }) createdAt: Date;
  @Column({ type: 'timestamptz', name: 'updated_at', default: () => 'now()' }) updatedAt: Date;
}
