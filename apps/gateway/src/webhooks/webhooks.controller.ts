import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Patch, Post, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import {
  CreateWebhookRequest,
  RotateSecretRequest,
  type Success,
  UpdateWebhookRequest,
  type WebhookData,
  type WebhookSecretData,
} from '#contracts';
import { parseBody, parseId, type ServiceContext } from '#http';
import { CONTEXT } from '../tokens.js';
import { AddressGuard } from './address-guard.js';
import { EndpointRows } from './endpoint-rows.js';
import { checkUrl } from './target.js';
import { tenantOf } from './tenant.js';
import { toWebhook } from './views.js';
import { WebhookQueue } from './webhook-queue.js';

const OVERLAP_HOURS = 24;

/** Who is told of a tenant's facts (docs/webhooks.md). */
@Controller('v1/webhooks')
export class WebhooksController {
  private readonly guard: AddressGuard;

  constructor(
    @Inject(CONTEXT) { environment }: ServiceContext,
    @Inject(EndpointRows) private readonly endpoints: EndpointRows,
    @Inject(WebhookQueue) private readonly queue: WebhookQueue,
  ) {
    this.guard = new AddressGuard(environment.WEBHOOK_ALLOW_PRIVATE);
  }

  @Post()
  async create(@Req() request: FastifyRequest, @Body() body: unknown): Promise<Success<WebhookSecretData>> {
    const tenantId = tenantOf(request);
    const wish = parseBody(CreateWebhookRequest, body);
    const { row, secret } = await this.endpoints.create(tenantId, {
      ...wish,
      url: checkUrl(wish.url, this.guard),
    });
    return { success: true, data: { ...toWebhook(row), secret } };
  }

  @Get()
  async list(@Req() request: FastifyRequest): Promise<Success<{ webhooks: WebhookData[] }>> {
    const rows = await this.endpoints.list(tenantOf(request));
    return { success: true, data: { webhooks: rows.map(toWebhook) } };
  }

  @Get(':id')
  async look(@Req() request: FastifyRequest, @Param('id') id: string): Promise<Success<WebhookData>> {
    return { success: true, data: toWebhook(await this.endpoints.find(tenantOf(request), parseId(id))) };
  }

  @Patch(':id')
  async change(
    @Req() request: FastifyRequest,
    @Param('id') id: string,
    @Body() body: unknown,
  ): Promise<Success<WebhookData>> {
    const tenantId = tenantOf(request);
    const wish = parseBody(UpdateWebhookRequest, body);
    const url = wish.url === undefined ? undefined : checkUrl(wish.url, this.guard);
    const row = await this.endpoints.update(tenantId, parseId(id), { ...wish, url });
    void this.queue.wake(row.id);
    return { success: true, data: toWebhook(row) };
  }

  @Delete(':id')
  async remove(
    @Req() request: FastifyRequest,
    @Param('id') id: string,
  ): Promise<{ success: true; message: string }> {
    await this.endpoints.remove(tenantOf(request), parseId(id));
    return { success: true, message: 'The webhook is deleted, with what was still to be sent to it.' };
  }

  @Post(':id/secret')
  @HttpCode(200)
  async rotate(
    @Req() request: FastifyRequest,
    @Param('id') id: string,
    @Body() body: unknown,
  ): Promise<Success<WebhookSecretData>> {
    const tenantId = tenantOf(request);
    const { overlap_hours: hours = OVERLAP_HOURS } = parseBody(RotateSecretRequest, body ?? {});
    const { row, secret } = await this.endpoints.rotate(tenantId, parseId(id), hours);
    return { success: true, data: { ...toWebhook(row), secret } };
  }
}
