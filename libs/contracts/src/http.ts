import 'reflect-metadata';
import { Type } from 'class-transformer';
import {
  IsInt,
  IsObject,
  IsOptional,
  IsString,
  Matches,
  Max,
  MaxLength,
  Min,
  MinLength,
} from 'class-validator';
import { PROFILE_NAME, type ProfileName } from './profiles.js';

export const SESSION_STATUSES = ['active', 'completed', 'failed', 'cancelled', 'expired'] as const;
export type SessionStatus = (typeof SESSION_STATUSES)[number];

const SHA256 = /^[0-9a-f]{64}$/;
const NO_PROFILE = { message: 'profile must be the name of a profile: letters, digits and dashes' };

/** `POST /v1/upload/video/session` */
export class CreateSessionRequest {
  @IsString() @MinLength(1) @MaxLength(255) filename: string;
  /** Bytes. */
  @IsInt() @Min(1) @Max(Number.MAX_SAFE_INTEGER) size: number;
  @IsOptional() @IsString() @MaxLength(127) content_type?: string;
  /** SHA-256 of the whole file, lower-case hex. */
  @IsOptional()
  @Matches(SHA256, { message: 'file_hash must be 64 lower-case hex digits (SHA-256)' })
  file_hash?: string;
  @IsOptional() @IsInt() @Min(1) @Max(10) priority?: number;
  @IsOptional() @Matches(PROFILE_NAME, NO_PROFILE) profile?: ProfileName;
  @IsOptional() @IsObject() options?: Record<string, unknown>;
  /** What the client intends to send per request; only informative, bytes are addressed by offset. */
  @IsOptional() @IsInt() @Min(1) chunk_size?: number;
  @IsOptional() @IsString() @MaxLength(128) user_id?: string;
  @IsOptional() @IsString() @MaxLength(128) user_name?: string;
  /** The batch that it belongs to. */
  @IsOptional() @IsString() batch_id?: string;
}

export interface CreateSessionData {
  session_id: string;
  job_id: string;
  status: SessionStatus;
  /** Path on the upload service for `PUT …/bytes/{offset}`. */
  upload_path: string;
  max_chunk_size: number;
  expires_at: string;
  /** True when the file is known: nothing is to be sent, its result is there or comes when the work on it ends. */
  duplicate: boolean;
}

/** `POST /v1/upload/video/known` */
export class KnownFileRequest {
  /** Bytes. */
  @IsInt() @Min(1) @Max(Number.MAX_SAFE_INTEGER) size: number;
  /** SHA-256 of the first EDGE_BYTES followed by the last; of the whole file when it has no more than both. */
  @Matches(SHA256, { message: 'edges_sha256 must be 64 lower-case hex digits (SHA-256)' })
  edges_sha256: string;
  @IsOptional() @Matches(PROFILE_NAME, NO_PROFILE) profile?: ProfileName;
  /** As the session will have them: what is made of a file is part of what is known. */
  @IsOptional() @IsObject() options?: Record<string, unknown>;
}

export interface KnownFileData {
  /** False: this file is not known, and hashing it to ask again is of no use. */
  possible: boolean;
}

/** S3-02 and what a resuming client needs. */
export interface SessionData {
  session_id: string;
  job_id: string | null;
  filename: string;
  size: number | null;
  total_chunks: number | null;
  chunks_received: number;
  bytes_received: number;
  progress_percentage: number;
  status: SessionStatus;
  /** Byte ranges not yet confirmed, `[from, to)`, ascending, at most 1,000. */
  missing: [number, number][];
  sha256: string | null;
  expires_at: string;
  error_code: string | null;
  error_message: string | null;
}

export interface ChunkData {
  session_id: string;
  offset: number;
  length: number;
  sha256: string;
  /** False when these bytes had been confirmed before. */
  written: boolean;
  bytes_received: number;
  progress_percentage: number;
  status: SessionStatus;
}

/** Fields of the multipart door `POST /v1/upload/video` (S3-01), as text. */
export class MultipartFields {
  @IsOptional() @IsString() session_id?: string;
  @IsOptional() @Type(() => Number) @IsInt() @Min(0) @Max(100_000) chunk_index?: number;
  @IsOptional() @Type(() => Number) @IsInt() @Min(1) @Max(100_000) total_chunks?: number;
  @IsOptional()
  @Matches(SHA256, { message: 'file_hash must be 64 lower-case hex digits (SHA-256)' })
  file_hash?: string;
  @IsOptional() @IsString() @MaxLength(16_384) options?: string;
  @IsOptional() @Type(() => Number) @IsInt() @Min(1) @Max(10) priority?: number;
  @IsOptional() @IsString() batch_id?: string;
  /** Of `POST /process`: the client's own name for this work, shown with the job. */
  @IsOptional()
  @Matches(/^[^\p{C}\p{Zl}\p{Zp}]{1,1024}$/u, {
    message: 'key must have 1 to 1024 characters, none of them a control or invisible one',
  })
  key?: string;
}

/** S1-01 */
export interface ProcessData {
  job_id: string;
  message: 'Video processing started';
}

/** What we know of `Upload-Metadata` (tus), as text; other keys are options. */
export class TusMetadata {
  @IsOptional() @IsString() @MaxLength(255) filename?: string;
  @IsOptional() @IsString() @MaxLength(127) content_type?: string;
  @IsOptional()
  @Matches(SHA256, { message: 'file_hash must be 64 lower-case hex digits (SHA-256)' })
  file_hash?: string;
  @IsOptional() @Type(() => Number) @IsInt() @Min(1) @Max(10) priority?: number;
  @IsOptional() @Matches(PROFILE_NAME, NO_PROFILE) profile?: ProfileName;
  @IsOptional() @IsString() @MaxLength(128) user_id?: string;
  @IsOptional() @IsString() @MaxLength(128) user_name?: string;
  @IsOptional() @IsString() batch_id?: string;
}

export interface MultipartData extends SessionData {
  upload_id: string;
}

export interface Success<T> {
  success: true;
  data: T;
}

/** S1-09 */
export interface HealthData {
  status: 'ok' | 'degraded';
  service: ServiceName;
  version: string;
}

export const SERVICES = ['upload', 'transcode', 'segment-upload', 'gateway'] as const;
export type ServiceName = (typeof SERVICES)[number];

export const DEFAULT_TENANT = 'default';

/** Between services: every internal request is signed (libs/http). Paths on a transcode worker. */
export const scratchPath = (spanId: string, lease: number, rendition: string, index: number) =>
  `/internal/scratch/${spanId}/${lease}/${rendition}/${index}`;
/** Asks for the MPEG-TS of that segment. */
export const SCRATCH_TS_QUERY = '?format=ts';

/** `GET /config.json` of the gateway: what the page needs to know. */
export interface PublicConfig {
  upload_url: string;
  max_file_size: number;
  max_chunk_size: number;
  allowed_extensions: string[];
  /** Every request must show an API key or an upload token. */
  needs_token: boolean;
}
