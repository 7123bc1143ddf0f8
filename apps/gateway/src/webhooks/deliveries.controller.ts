import { Controller, Get, HttpCode, Inject, Param, Post, Query, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import {
  DELIVERY_STATUSES,
  SluiceError,
  type Success,
  type WebhookDeliveryData,
  type WebhookDeliveryPage,
  type WebhookMessage,
} from '#contracts';
import { parseId } from '#http';
import { DeliveryRows } from './delivery-rows.js';
import { EndpointRows } from './endpoint-rows.js';
import { tenantOf } from './tenant.js';
import { toDelivery } from './views.js';
import { WebhookQueue } from './webhook-queue.js';

const PAGE = 50;

/** What a webhook was told, what became of it, and sending it again (docs/webhooks.md). */
@Controller('v1/webhooks/:id')
export class DeliveriesController {
  constructor(
    @Inject(EndpointRows) private readonly endpoints: EndpointRows,
    @Inject(DeliveryRows) private readonly deliveries: DeliveryRows,
    @Inject(WebhookQueue) private readonly queue: WebhookQueue,
  ) {}

  @Post('test')
  @HttpCode(202)
  async test(@Req() request: FastifyRequest, @Param('id') id: string): Promise<Success<WebhookDeliveryData>> {
    const tenantId = tenantOf(request);
    const endpoint = await this.enabled(tenantId, id);
    const row = await this.deliveries.addTest(tenantId, endpoint);
    void this.queue.wake(endpoint);
    return { success: true, data: toDelivery(row) };
  }

  @Get('deliveries')
  async listDeliveries(
    @Req() request: FastifyRequest,
    @Param('id') id: string,
    @Query() query: Record<string, unknown>,
  ): Promise<Success<WebhookDeliveryPage>> {
    const tenantId = tenantOf(request);
    const endpoint = await this.endpoints.find(tenantId, parseId(id));
    const rows = await this.deliveries.list(tenantId, endpoint.id, {
      status: statusOf(query.status),
      before: cursorOf(query.cursor),
      atMost: PAGE + 1,
    });
    const page = rows.slice(0, PAGE);
    const last = rows.length > PAGE ? page.at(-1) : undefined;
    return {
      success: true,
      data: { deliveries: page.map(toDelivery), next_cursor: last ? String(last.number) : null },
    };
  }

  @Get('deliveries/:delivery')
  async lookAtDelivery(
    @Req() request: FastifyRequest,
    @Param('id') id: string,
    @Param('delivery') delivery: string,
  ): Promise<Success<WebhookDeliveryData & { message: WebhookMessage }>> {
    const row = await this.deliveries.find(tenantOf(request), parseId(id), parseId(delivery));
    return { success: true, data: { ...toDelivery(row), message: JSON.parse(row.body) as WebhookMessage } };
  }

  @Post('deliveries/:delivery/resend')
  @HttpCode(202)
  async resend(
    @Req() request: FastifyRequest,
    @Param('id') id: string,
    @Param('delivery') delivery: string,
  ): Promise<Success<WebhookDeliveryData>> {
    const tenantId = tenantOf(request);
    const endpoint = await this.enabled(tenantId, id);
    const row = await this.deliveries.resend(tenantId, endpoint, parseId(delivery));
    void this.queue.wake(endpoint);
    return { success: true, data: toDelivery(row) };
  }

  @Post('resend')
  @HttpCode(202)
  async resendFailed(
    @Req() request: FastifyRequest,
    @Param('id') id: string,
  ): Promise<Success<{ resent: number }>> {
    const tenantId = tenantOf(request);
    const endpoint = await this.enabled(tenantId, id);
    const resent = await this.deliveries.resendFailed(tenantId, endpoint);
    void this.queue.wake(endpoint);
    return { success: true, data: { resent } };
  }

  private async enabled(tenantId: string, id: string): Promise<string> {
    const endpoint = await this.endpoints.find(tenantId, parseId(id));
    if (endpoint.disabled_at !== null)
      throw new SluiceError('webhook_disabled', 'This webhook is disabled; enable it first.');
    return endpoint.id;
  }
}

function statusOf(value: unknown) {
  if (value === undefined) return null;
  const status = DELIVERY_STATUSES.find((known) => known === value);
  if (!status)
    throw new SluiceError('validation_failed', `status must be one of ${DELIVERY_STATUSES.join(', ')}.`);
  return status;
}

function cursorOf(value: unknown): number | null {
  if (value === undefined) return null;
  if (typeof value !== 'string' || !/^\d{1,15}$/.test(value))
    throw new SluiceError('validation_failed', 'cursor must be the next_cursor of an earlier answer.');
  return Number(value);
}
