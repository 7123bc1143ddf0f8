import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { ErrorCode, SessionStatus } from '#contracts';
import { Timestamps } from './timestamps.js';

@Entity('upload_sessions')
export class UploadSession extends Timestamps {
  @PrimaryColumn('uuid') id: string;
  @Column('text', { name: 'tenant_id' }) tenantId: string;
  @Column('uuid', { name: 'job_id', nullable: true }) jobId: string | null;
  @Column('uuid', { name: 'asset_id', nullable: true }) assetId: string | null;
  @Column('text') filename: string;
  @Column('text', { name: 'content_type', nullable: true }) contentType: string | null;
  /** Bytes; null while the client has not said it (multipart chunks). */
  @Column('bigint', { name: 'file_size', nullable: true }) fileSize: number | null;
  /** SHA-256 that the client promised. */
  @Column('char', { name: 'file_hash', length: 64, nullable: true }) fileHash: string | null;
  /** SHA-256 that we computed. */
  @Column('char', { length: 64, nullable: true }) sha256: string | null;
  @Column('integer', { name: 'total_chunks', nullable: true }) totalChunks: number | null;
  @Column('bigint', { name: 'chunk_size', nullable: true }) chunkSize: number | null;
  @Column('integer', { name: 'chunks_received', default: 0 }) chunksReceived: number;
  @Column('bigint', { name: 'bytes_received', default: 0 }) bytesReceived: number;
  @Column('text', { default: 'active' }) status: SessionStatus;
  @Column('text', { name: 'user_id', nullable: true }) userId: string | null;
  @Column('text', { name: 'user_name', nullable: true }) userName: string | null;
  @Column('text', { default: 'default' }) profile: string;
  @Column('jsonb', { default: {} }) options: Record<string, unknown>;
  @Column('smallint', { default: 5 }) priority: number;
  @Column('text', { name: 'error_code', nullable: true }) errorCode: ErrorCode | null;
  @Column('text', { name: 'error_message', nullable: true }) errorMessage: string | null;
  @Column('timestamptz', { name: 'completed_at', nullable: true }) completedAt: Date | null;
  @Column('timestamptz', { name: 'expires_at' }) expiresAt: Date;
  /** The fencing number of the tus request that writes, or wrote last. */
  @Column('integer', { default: 0 }) writer: number;
  @Column('boolean', { default: false }) writing: boolean;
  /** `Upload-Metadata` and `Upload-Concat` as the client sent them; null for the other doors. */
  @Column('text', { name: 'tus_metadata', nullable: true }) tusMetadata: string | null;
  @Column('text', { name: 'tus_concat', nullable: true }) tusConcat: string | null;
  /** The final upload that took the chunks of this partial one. */
  @Column('uuid', { name: 'final_id', nullable: true }) finalId: string | null;
  @Column('uuid', { name: 'batch_id', nullable: true }) batchId: string | null;
  /** The process that computes the SHA-256, and until when. */
  @Column('text', { name: 'digest_owner', nullable: true }) digestOwner: string | null;
  @Column('timestamptz', { name: 'digest_until', nullable: true }) digestUntil: Date | null;
}

@Entity('upload_batches')
export class UploadBatch extends Timestamps {
  @PrimaryColumn('uuid') id: string;
  @Column('text', { name: 'tenant_id' }) tenantId: string;
  @Column('text', { nullable: true }) name: string | null;
  @Column('timestamptz', { name: 'cancelled_at', nullable: true }) cancelledAt: Date | null;
}

@Entity('upload_chunks')
export class UploadChunk {
  @PrimaryColumn('uuid', { name: 'session_id' }) sessionId: string;
  @PrimaryColumn('bigint', { name: 'byte_offset' }) offset: number;
  @Column('text', { name: 'tenant_id' }) tenantId: string;
  @Column('integer', { name: 'chunk_index', nullable: true }) chunkIndex: number | null;
  @Column('bigint') size: number;
  @Column('char', { length: 64 }) hash: string;
  @Column('text', { name: 'storage_path' }) storagePath: string;
  @Column('boolean', { default: true }) received: boolean;
  @Column('boolean', { default: true }) verified: boolean;
  @Column('timestamptz', { name: 'received_at', default: () => 'now()' }) receivedAt: Date;
  @Column('timestamptz', { name: 'verified_at', nullable: true, default: () => 'now()' })
  verifiedAt: Date | null;
}
