import { Body, Controller, Get, Header, Inject, Param, Put, Req } from '@nestjs/common';
import { PutTenantRequest, SluiceError, TENANT_ID, type TenantView } from '#contracts';
import { demand, parseBody, type ServiceContext } from '#http';
import { tenantOf } from '#work';
import type { Database } from '../resources.js';
import { CONTEXT, DATABASE } from '../tokens.js';

/** What tenants may have and what they have: the operator sets it, each may look at its own. */
@Controller('v1')
export class TenantsController {
  constructor(
    @Inject(DATABASE) private readonly database: Database,
    @Inject(CONTEXT) private readonly context: ServiceContext,
  ) {}

  @Get('usage')
  @Header('cache-control', 'no-store')
  async own(@Req() request: { raw: object }): Promise<TenantView> {
    const { tenantId, kind } = demand(request, 'jobs:read');
    if (kind === 'token')
      throw new SluiceError('scope_missing', "What a tenant has is told to the tenant's own keys.");
    return this.view(tenantId);
  }

  @Get('tenants/:id')
  @Header('cache-control', 'no-store')
  async tenant(@Req() request: { raw: object }, @Param('id') id: string): Promise<TenantView> {
    demand(request, 'operator');
    return this.view(parseTenant(id));
  }

  /** A tenant needs no row to exist: one that has none has what the deployment gives to all. */
  @Put('tenants/:id')
  async put(
    @Req() request: { raw: object },
    @Param('id') id: string,
    @Body() body: unknown,
  ): Promise<TenantView> {
    demand(request, 'operator');
    const tenant = parseTenant(id);
    const { name, quotas } = parseBody(PutTenantRequest, body);
    await this.database.query(
      `INSERT INTO tenants (id, name, bytes_stored, minutes_per_month, open_sessions) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT (id) DO UPDATE SET name = excluded.name, bytes_stored = excluded.bytes_stored,
         minutes_per_month = excluded.minutes_per_month, open_sessions = excluded.open_sessions, updated_at = now()`,
      [
        ...[tenant, name ?? null],
        ...[quotas?.bytes_stored, quotas?.minutes_per_month, quotas?.open_sessions].map(
          (quota) => quota ?? null,
        ),
      ],
    );
    return this.view(tenant);
  }

  private view(id: string): Promise<TenantView> {
    return tenantOf(this.database.manager, this.context.environment, id);
  }
}

function parseTenant(id: string): string {
  if (!TENANT_ID.test(id))
    throw new SluiceError(
      'validation_failed',
      'A tenant is named by up to 64 letters, digits, dots, dashes and underscores.',
    );
  return id;
}
