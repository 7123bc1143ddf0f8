import 'reflect-metadata';
import {
  ArrayMaxSize,
  ArrayMinSize,
  ArrayUnique,
  IsIn,
  IsInt,
  IsISO8601,
  IsOptional,
  IsString,
  Matches,
  Max,
  MaxLength,
  Min,
  MinLength,
} from 'class-validator';
import { SCOPES, type Scope } from './access.js';
import { TENANT_ID } from './tenants.js';

const DAY_SECONDS = 86_400;

/** `POST /v1/keys` */
export class CreateKeyRequest {
  @IsString() @MinLength(1) @MaxLength(128) name: string;
  @ArrayMinSize(1)
  @ArrayMaxSize(SCOPES.length)
  @ArrayUnique()
  @IsIn(SCOPES, { each: true })
  scopes: Scope[];
  /** Absent: until it is revoked. */
  @IsOptional() @IsISO8601({ strict: true }) expires_at?: string;
  /** Of another tenant: for operators. */
  @IsOptional()
  @Matches(TENANT_ID, { message: 'tenant_id must be letters, digits, dots, - and _, 64 at most' })
  tenant_id?: string;
}

/** `POST /v1/keys/{id}/rotate` */
export class RotateKeyRequest {
  /** So long the old key counts, too. */
  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(30 * DAY_SECONDS)
  overlap_seconds: number = DAY_SECONDS;
}

export interface KeyData {
  id: string;
  tenant_id: string;
  name: string;
  /** How the key begins. */
  hint: string;
  scopes: Scope[];
  created_at: string;
  expires_at: string | null;
  revoked_at: string | null;
  /** To a minute. */
  last_used_at: string | null;
  replaced_by: string | null;
}

/** The only answer that has the key itself. */
export interface NewKeyData extends KeyData {
  key: string;
}

/** `POST /v1/upload-tokens` */
export class CreateUploadTokenRequest {
  /** Bytes of the file, exactly. */
  @IsInt() @Min(1) @Max(Number.MAX_SAFE_INTEGER) size: number;
  /** The person it is for: the token sees what else is theirs. */
  @IsOptional() @IsString() @MinLength(1) @MaxLength(128) user_id?: string;
  /** The pages that may use it. */
  @IsOptional()
  @Matches(/^https?:\/\/[^/?#\s]+$/, { message: 'origin must be scheme://host:port' })
  origin?: string;
  @IsOptional() @IsInt() @Min(60) @Max(DAY_SECONDS) expires_in_seconds: number = 3600;
  /** A session that is open already; absent: the one that the token's holder will open. */
  @IsOptional() @IsString() session_id?: string;
}

export interface UploadTokenData {
  token: string;
  session_id: string;
  size: number;
  expires_at: string;
  /** Base URL of the upload service. */
  upload_url: string;
}
