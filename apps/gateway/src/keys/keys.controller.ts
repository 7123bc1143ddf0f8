import { Body, Controller, Delete, Get, Header, HttpCode, Inject, Param, Post, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { ApiKeyRow, ApiKeys, IssuedKey } from '#access';
import {
  CreateKeyRequest,
  type KeyData,
  type NewKeyData,
  type Principal,
  RotateKeyRequest,
  type Scope,
  SluiceError,
  type Success,
  writesOf,
} from '#contracts';
import { assertScope, demand, parseBody, parseId } from '#http';
import { API_KEYS } from '../tokens.js';

/** Keys of the own tenant; operators reach those of all. */
@Controller('v1/keys')
export class KeysController {
  constructor(@Inject(API_KEYS) private readonly keys: ApiKeys) {}

  @Post()
  @Header('cache-control', 'no-store')
  async create(@Body() body: unknown, @Req() request: FastifyRequest): Promise<Success<NewKeyData>> {
    const by = demand(request, 'keys:write');
    const { name, scopes, expires_at, tenant_id } = parseBody(CreateKeyRequest, body);
    if (tenant_id !== undefined && tenant_id !== by.tenantId) assertScope(by, 'operator');
    only(by)(scopes);
    const expiresAt = noLaterThan(by, expires_at === undefined ? null : new Date(expires_at));
    if (expiresAt && expiresAt.getTime() <= Date.now())
      throw new SluiceError('validation_failed', 'expires_at must be in the future.');
    return issued(await this.keys.create({ tenantId: tenant_id ?? by.tenantId, name, scopes, expiresAt }));
  }

  @Get()
  @Header('cache-control', 'no-store')
  async list(@Req() request: FastifyRequest): Promise<Success<{ keys: KeyData[] }>> {
    const rows = await this.keys.list(tenantOf(demand(request, 'keys:write')));
    return { success: true, data: { keys: rows.map(toData) } };
  }

  /** Who has lost the answer rotates what came out of it: the old key may be rotated once. */
  @Post(':id/rotate')
  @Header('cache-control', 'no-store')
  async rotate(
    @Param('id') id: string,
    @Body() body: unknown,
    @Req() request: FastifyRequest,
  ): Promise<Success<NewKeyData>> {
    const by = demand(request, 'keys:write');
    const { overlap_seconds } = parseBody(RotateKeyRequest, body ?? {});
    return issued(await this.keys.rotate(tenantOf(by), parseId(id), overlap_seconds, only(by)));
  }

  @Delete(':id')
  @HttpCode(200)
  async revoke(@Param('id') id: string, @Req() request: FastifyRequest): Promise<Success<KeyData>> {
    const by = demand(request, 'keys:write');
    return { success: true, data: toData(await this.keys.revoke(tenantOf(by), parseId(id), only(by))) };
  }
}

/** Nobody gives what they do not have. */
const only = (by: Principal) => (scopes: readonly Scope[]) => {
  for (const scope of scopes) assertScope(by, scope);
};

/** Nor for longer than they have it. */
function noLaterThan({ expiresAt: end }: Principal, wanted: Date | null): Date | null {
  if (end === null) return wanted;
  return new Date(Math.min(end, wanted?.getTime() ?? end));
}

const tenantOf = (by: Principal) => writesOf(by).tenantId;

const issued = ({ row, key }: IssuedKey): Success<NewKeyData> => ({
  success: true,
  data: { ...toData(row), key },
});

const toData = (row: ApiKeyRow): KeyData => ({
  id: row.id,
  tenant_id: row.tenantId,
  name: row.name,
  hint: row.hint,
  scopes: row.scopes,
  created_at: row.createdAt.toISOString(),
  expires_at: row.expiresAt?.toISOString() ?? null,
  revoked_at: row.revokedAt?.toISOString() ?? null,
  last_used_at: row.lastUsedAt?.toISOString() ?? null,
  replaced_by: row.replacedBy,
});
