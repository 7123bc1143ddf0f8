import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { Scope } from '#contracts';

@Entity('api_keys')
export class ApiKey {
  @PrimaryColumn('uuid') id: string;
  @Column('text', { name: 'tenant_id' }) tenantId: string;
  @Column('text') name: string;
  /** SHA-256 of the key. */
  @Column('bytea') hash: Buffer;
  /** Its beginning, to tell it from others. */
  @Column('text') hint: string;
  @Column('text', { array: true }) scopes: Scope[];
  @Column('timestamptz', { name: 'created_at', default: () => 'now()' }) createdAt: Date;
  @Column('timestamptz', { name: 'expires_at', nullable: true }) expiresAt: Date | null;
  @Column('timestamptz', { name: 'revoked_at', nullable: true }) revokedAt: Date | null;
  @Column('timestamptz', { name: 'last_used_at', nullable: true }) lastUsedAt: Date | null;
  @Column('uuid', { name: 'replaced_by', nullable: true }) replacedBy: string | null;
}
