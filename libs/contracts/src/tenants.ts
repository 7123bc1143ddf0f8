import { Type } from 'class-transformer';
import { IsInt, IsOptional, IsString, Max, MaxLength, Min, ValidateNested } from 'class-validator';

export const TENANT_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** Null: what the deployment gives to all (`QUOTA_…`); 0: as much as there is. */
export class TenantQuotas {
  /** Of finished streams, and of what is being uploaded and encoded. */
  @IsOptional() @IsInt() @Min(0) @Max(Number.MAX_SAFE_INTEGER) bytes_stored?: number | null;
  /** Of video, each counted once whatever it is encoded into, in a calendar month (UTC). */
  @IsOptional() @IsInt() @Min(0) @Max(1_000_000_000) minutes_per_month?: number | null;
  @IsOptional() @IsInt() @Min(0) @Max(1_000_000_000) open_sessions?: number | null;
}

/** PUT /v1/tenants/:id; what is left out is null. */
export class PutTenantRequest {
  @IsOptional() @IsString() @MaxLength(200) name?: string | null;
  @IsOptional() @ValidateNested() @Type(() => TenantQuotas) quotas?: TenantQuotas;
}

export interface TenantUsage {
  bytes_stored: number;
  /** Of uploads that are open, and of sources that wait to be encoded or are. */
  bytes_arriving: number;
  minutes_this_month: number;
  open_sessions: number;
}

export type QuotaName = keyof TenantQuotas;

export interface TenantView {
  id: string;
  name: string | null;
  /** What its row says. */
  quotas: Record<QuotaName, number | null>;
  /** What counts; null: as much as there is. */
  limits: Record<QuotaName, number | null>;
  usage: TenantUsage;
}
