import { ArrayMaxSize, IsArray, IsOptional, Matches } from 'class-validator';
import type { ErrorCode } from './errors.js';
import type { JobStatus } from './events.js';
import type { CreateSessionData, SessionStatus } from './http.js';

/** Sessions of one batch, however they came to it. */
export const MAX_SESSIONS_PER_BATCH = 1000;
export const MAX_FILES_PER_REQUEST = MAX_SESSIONS_PER_BATCH;

/** `POST /v1/upload/batch`; each of `files` is a CreateSessionRequest, judged by itself. */
export class CreateBatchRequest {
  @IsOptional()
  @Matches(/^[^\p{C}\p{Zl}\p{Zp}]{1,255}$/u, {
    message: 'name must have 1 to 255 characters, none of them a control or invisible one',
  })
  name?: string;
  @IsOptional()
  @IsArray()
  @ArrayMaxSize(MAX_FILES_PER_REQUEST, {
    message: `files may name at most ${MAX_FILES_PER_REQUEST} files, which is all that a batch has room for; open another batch for the rest`,
  })
  files?: unknown[];
}

/** One for each of `files`, in their order: its session, or why it has none. */
export type BatchFileResult =
  | { session: CreateSessionData; error: null }
  | { session: null; error: { code: ErrorCode; detail: string } };

export interface CreateBatchData {
  batch_id: string;
  name: string | null;
  files: BatchFileResult[];
}

/**
 * `active` while any file is being sent (and while there is none yet), `processing` while any is being
 * converted; then `completed` when all succeeded, `failed` when none did, `partial` otherwise.
 */
export const BATCH_STATUSES = ['active', 'processing', 'completed', 'partial', 'failed'] as const;
export type BatchStatus = (typeof BATCH_STATUSES)[number];

export const FILE_STATES = ['uploading', 'processing', 'completed', 'failed'] as const;
export type FileState = (typeof FILE_STATES)[number];

export interface BatchFile {
  session_id: string;
  job_id: string | null;
  filename: string;
  size: number | null;
  bytes_received: number;
  state: FileState;
  session_status: SessionStatus;
  job_status: JobStatus | null;
  /** Of the job. */
  progress_percentage: number;
  error_code: ErrorCode | null;
  error_message: string | null;
}

export interface BatchData {
  batch_id: string;
  name: string | null;
  status: BatchStatus;
  cancelled: boolean;
  /** How many files are in which state. */
  counts: Record<FileState, number> & { total: number };
  /** Whole percent: the mean over the files, where one that has ended counts as 100. */
  progress_percentage: number;
  created_at: string;
  files: BatchFile[];
}
