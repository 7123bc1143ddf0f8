import 'reflect-metadata';
import { Transform, Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayNotEmpty,
  IsArray,
  IsDate,
  IsIn,
  IsInt,
  IsOptional,
  IsString,
  Matches,
  Max,
  MaxLength,
  Min,
  MinLength,
} from 'class-validator';
import { ERROR_CODES, type ErrorCode, kindOf } from './errors.js';
import { JOB_STATUSES, type JobStatus, type JobView } from './events.js';
import type { FinishingKind } from './finishing.js';
import { RENDITION_NAMES, type RenditionName } from './media.js';
import { STAGES, type Stage } from './stages.js';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const AN_ID = { message: '$property must be an id that we answered with' };
const A_TIME = { message: '$property must be a time as in ISO 8601' };
/** Postgres has no text with this character. */
const STORABLE = /^[^\0]*$/;

/** `a,b` or `?status=a&status=b` */
const List = () =>
  Transform(({ value }: { value: unknown }) =>
    (Array.isArray(value) ? value : [value]).flatMap((one) =>
      typeof one === 'string' ? one.split(',') : [one],
    ),
  );

/** Query of `GET /jobs`; what is not said is not asked. */
export class JobListQuery {
  @IsOptional() @List() @IsIn(JOB_STATUSES, { each: true }) status?: JobStatus[];
  @IsOptional() @List() @IsIn(STAGES, { each: true }) stage?: Stage[];
  /** What failed jobs failed with. */
  @IsOptional() @List() @IsIn(ERROR_CODES, { each: true }) code?: ErrorCode[];
  @IsOptional() @Type(() => Number) @IsInt() @Min(1) @Max(10) priority?: number;
  @IsOptional() @Matches(UUID, AN_ID) session_id?: string;
  @IsOptional() @Matches(UUID, AN_ID) batch_id?: string;
  @IsOptional() @MinLength(1) @MaxLength(128) @Matches(STORABLE) user_id?: string;
  /** A part of the file's name, in any case. */
  @IsOptional() @MinLength(1) @MaxLength(255) @Matches(STORABLE) filename?: string;
  @IsOptional() @Type(() => Date) @IsDate(A_TIME) created_after?: Date;
  @IsOptional() @Type(() => Date) @IsDate(A_TIME) created_before?: Date;
  /** `next_cursor` of the page before. */
  @IsOptional() @IsString() @MaxLength(100) cursor?: string;
  @IsOptional() @Type(() => Number) @IsInt() @Min(1) @Max(200) limit = 50;
}

export type JobSummary = Omit<JobView, 'latest_events' | 'renditions'>;

/** `GET /jobs`: the newest first. */
export interface JobPage {
  jobs: JobSummary[];
  /** Null: this is the last page. */
  next_cursor: string | null;
}

/** `POST /jobs/:id/priority` */
export class PriorityRequest {
  @IsInt() @Min(1) @Max(10) priority: number;
}

/** What of a failed job is made again: what is missing, all of some renditions and what is missing, everything. */
export const RETRY_SCOPES = ['segments', 'rendition', 'all'] as const;
export type RetryScope = (typeof RETRY_SCOPES)[number];

/** `POST /jobs/:id/retry`; the body may be left out. */
export class RetryRequest {
  @IsOptional() @IsIn(RETRY_SCOPES) what: RetryScope = 'segments';
  /** With `rendition`: which. */
  @IsOptional()
  @IsArray()
  @ArrayNotEmpty()
  @ArrayMaxSize(RENDITION_NAMES.length)
  @IsIn(RENDITION_NAMES, { each: true })
  renditions?: RenditionName[];
}

/** `DELETE /jobs/:id?purge=true` */
export interface PurgedJob {
  id: string;
  /** False: somebody else's upload shares the job, and keeps it; the own one is no longer part of it. */
  purged: boolean;
}

/** Work that ended its process three times. */
export interface QuarantinedWork {
  id: string;
  job_id: string;
  tenant_id: string;
  filename: string | null;
  kind: 'video' | 'copy' | 'audio' | 'subtitles' | 'index' | FinishingKind;
  renditions: RenditionName[];
  first_segment: number | null;
  segment_count: number | null;
  unclean_deaths: number;
  error_code: ErrorCode | null;
  error_message: string | null;
  job_status: JobStatus;
  quarantined_at: string;
  /** Its job has failed and its source is kept: it can be tried again. */
  releasable: boolean;
}

/** Deaths of the process that held it, without a word, after which work is taken for poison. */
export const UNCLEAN_DEATHS_AT_MOST = 3;

/** Failures that say nothing against the file: another try, another worker or another setting may help. */
export const mayBeRetried = (code: ErrorCode): boolean =>
  kindOf(code) === 'internal' || code === 'encoder_unavailable' || code === 'probe_out_of_memory';
