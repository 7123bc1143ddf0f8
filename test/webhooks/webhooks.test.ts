import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type {
  WebhookData,
  WebhookDeliveryData,
  WebhookDeliveryPage,
  WebhookMessage,
  WebhookSecretData,
} from '#contracts';
import { createRedis } from '#queue';
import { readMetrics, waitFor } from '#testing';
import { newSecret } from '../../apps/gateway/src/webhooks/signature.js';
import { Vault } from '../../apps/gateway/src/webhooks/vault.js';
import { type GatewayAlone, problem, startGatewayAlone } from '../gateway/rows.js';
import { Receiver, status, verified } from './receiver.js';

let gateway: GatewayAlone;
const receivers: Receiver[] = [];

beforeAll(async () => {
  gateway = await startGatewayAlone({
    WEBHOOK_ALLOW_PRIVATE: '127.0.0.1/32',
    WEBHOOK_TIMEOUT_SECONDS: '3',
    WEBHOOK_CONCURRENCY: '3',
    WEBHOOK_RETRY_SECONDS: '0.1',
  });
});
afterEach(async () => {
  for (const receiver of receivers.splice(0)) receiver.close();
  await gateway.stack.query('DELETE FROM webhook_endpoints');
});
afterAll(() => gateway?.stop());

async function listen(): Promise<Receiver> {
  const receiver = await Receiver.listen();
  receivers.push(receiver);
  return receiver;
}

async function ask<T>(method: string, path: string, body?: object): Promise<T> {
  const response = await gateway.get(`/v1/webhooks${path}`, {
    method,
    ...(body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  const answer = (await response.json()) as { success: boolean; data: T; code?: string };
  if (!answer.success) throw new Error(`${response.status} ${answer.code}`);
  return answer.data;
}

const create = (body: object) => ask<WebhookSecretData>('POST', '', body);
const look = (id: string) => ask<WebhookData>('GET', `/${id}`);
const deliveries = (id: string, query = '') => ask<WebhookDeliveryPage>('GET', `/${id}/deliveries${query}`);

async function tell(
  jobId: string,
  message: string,
  type: 'processing_progress' | 'processing_failed' = 'processing_progress',
) {
  await gateway.record(jobId, { type, durable: true, message });
}

const said = (receiver: Receiver) => receiver.received.map(({ message }) => message.data.message);

describe('S1-11 webhooks', () => {
  it('sends the durable facts that were chosen, once, signed as the standard says', async () => {
    const receiver = await listen();
    const { secret, ...made } = await create({
      url: receiver.url(),
      events: ['processing_progress', 'processing_completed'],
      description: 'the film desk',
    });
    expect(made).toMatchObject({ enabled: true, failing_since: null, description: 'the film desk' });
    const { jobId } = await gateway.insertUpload();
    await gateway.record(jobId, { type: 'upload_started', durable: true });
    await gateway.record(jobId, { type: 'processing_progress', durable: false, progress: 40 });
    await tell(jobId, 'playable');
    await gateway.record(jobId, {
      type: 'processing_completed',
      durable: true,
      stage: 'completed',
      progress: 100,
    });
    await receiver.hears(2);
    const byType = Object.fromEntries(receiver.received.map((one) => [one.message.type, one]));
    expect(Object.keys(byType).sort()).toEqual(['processing_completed', 'processing_progress']);
    const { message, headers } = byType.processing_progress!;
    expect(message).toMatchObject({
      type: 'processing_progress',
      timestamp: message.data.timestamp,
      data: { job_id: jobId, seq: 3, durable: true, message: 'playable' },
    });
    expect(headers).toMatchObject({ 'content-type': 'application/json', 'user-agent': 'Sluice-Webhooks' });
    for (const one of receiver.received) expect(verified(one, secret)).toEqual(one.message);
    const { deliveries: list } = await waitFor(
      async () => {
        const page = await deliveries(made.id, '?status=delivered');
        return page.deliveries.length === 2 && page;
      },
      { what: 'both to be delivered' },
    );
    expect(list.map(({ id }) => id).sort()).toEqual(
      receiver.received.map((one) => String(one.headers['webhook-id'])).sort(),
    );
    expect(list[0]).toMatchObject({ attempts: 1, last_status: 200, last_error: null, job_id: jobId });
    expect((await readMetrics(gateway.url))('sluice_webhook_attempts_total', { result: 'delivered' })).toBe(
      2,
    );
  });

  it('a fact that is taken back is not sent', async () => {
    const receiver = await listen();
    await create({ url: receiver.url() });
    const { jobId } = await gateway.insertUpload();
    await expect(
      gateway.database.transaction(async (manager) => {
        const { recordFact } = await import('#events');
        await recordFact(manager, jobId, {
          type: 'processing_progress',
          durable: true,
          message: 'never was',
        });
        throw new Error('taken back');
      }),
    ).rejects.toThrow('taken back');
    await tell(jobId, 'was');
    await receiver.hears(1);
    expect(said(receiver)).toEqual(['was']);
  });

  it('a receiver that answers 500 or is down gets the same message again, under the same id', async () => {
    const receiver = await listen();
    const { secret, id } = await create({ url: receiver.url() });
    receiver.answer = (response, _received, count) => response.writeHead(count < 3 ? 500 : 204).end();
    const { jobId } = await gateway.insertUpload();
    await tell(jobId, 'one');
    await receiver.hears(3);
    expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    expect(new Set(receiver.received.map(({ body }) => body)).size).toBe(1);
    expect(verified(receiver.received[2]!, secret)).toBeTruthy();
    await receiver.down();
    await tell(jobId, 'two');
    await waitFor(async () => (await deliveries(id)).deliveries[0]?.last_error?.includes('ECONNREFUSED'), {
      what: 'an attempt to fail',
    });
    expect((await look(id)).failing_since).not.toBeNull();
    await receiver.up();
    await receiver.hears(4);
    expect(said(receiver).at(-1)).toBe('two');
    await waitFor(async () => (await look(id)).failing_since === null, { what: 'it to be well again' });
  });

  it('a receiver that hangs holds neither others nor the work', async () => {
    const slow = await listen();
    const quick = await listen();
    slow.answer = () => undefined;
    const hanging = await create({ url: slow.url() });
    await create({ url: quick.url() });
    const { jobId } = await gateway.insertUpload();
    for (let i = 0; i < 30; i += 1) await tell(jobId, `fact ${i}`);
    await quick.hears(30);
    expect(quick.received).toHaveLength(30);
    expect(slow.mostOpen).toBeLessThanOrEqual(3);
    await waitFor(async () => (await look(hanging.id)).failing_since, { what: 'a timeout' });
    const { deliveries: list } = await deliveries(hanging.id);
    expect(list.some((one) => one.last_error === 'There was no answer within 3 s.')).toBe(true);
  });

  it('as many as there are places may hang, and the others still hear', async () => {
    const slow = await listen();
    const quick = await listen();
    slow.answer = () => undefined;
    await create({ url: quick.url(), events: ['processing_failed'] });
    const vault = new Vault('a secret of the tests, long enough to be one');
    const ids = Array.from({ length: 70 }, () => randomUUID());
    await gateway.stack.query(
      `INSERT INTO webhook_endpoints (id, tenant_id, url, events, secret)
       SELECT id, 'default', $1, '{processing_progress}', secret FROM unnest($2::uuid[], $3::text[]) AS e (id, secret)`,
      [slow.url(), ids, ids.map((id) => vault.seal(id, newSecret()))],
    );
    const { jobId } = await gateway.insertUpload();
    for (let i = 0; i < 5; i += 1) await tell(jobId, `before ${i}`);
    await slow.hears(60);
    for (let i = 0; i < 3; i += 1) await tell(jobId, `fact ${i}`, 'processing_failed');
    await quick.hears(3);
    expect(new Set(said(quick)).size).toBe(3);
  });

  it('inward: neither an address, nor a redirect, nor a name leads into our own network', async () => {
    const inside = await Receiver.listen('127.0.0.2');
    receivers.push(inside);
    const receiver = await listen();
    const target = inside.url('/secret', '127.0.0.2');
    await expect(create({ url: target })).rejects.toThrow('400 webhook_url_refused');
    receiver.answer = status(302, { location: target });
    const { id } = await create({ url: receiver.url() });
    await expect(ask('PATCH', `/${id}`, { url: target })).rejects.toThrow('400 webhook_url_refused');
    const { jobId } = await gateway.insertUpload();
    await tell(jobId, 'one');
    await waitFor(async () => (await deliveries(id)).deliveries[0]?.last_status === 302, {
      what: 'the redirect',
    });
    await gateway.stack.query('UPDATE webhook_endpoints SET url = $1 WHERE id = $2', [target, id]);
    await waitFor(
      async () => (await deliveries(id)).deliveries[0]?.last_error?.includes('not in a public network'),
      { what: 'the address to be refused' },
    );
    expect(inside.received).toEqual([]);
  });

  it('a message that is given up is a dead letter, which is seen and can be sent again', async () => {
    const receiver = await listen();
    receiver.answer = status(503);
    const { id } = await create({ url: receiver.url() });
    const { jobId } = await gateway.insertUpload();
    await tell(jobId, 'one');
    await receiver.hears(1);
    await gateway.stack.query(
      `UPDATE webhook_deliveries SET retry_from = now() - interval '25 hours' WHERE endpoint_id = $1`,
      [id],
    );
    const dead = await waitFor(async () => (await deliveries(id, '?status=failed')).deliveries[0], {
      what: 'it to be given up',
    });
    expect(dead).toMatchObject({ status: 'failed', last_status: 503, next_attempt_at: null, job_id: jobId });
    const full = await ask<WebhookDeliveryData & { message: WebhookMessage }>(
      'GET',
      `/${id}/deliveries/${dead.id}`,
    );
    expect(full.message.data).toMatchObject({ message: 'one' });
    receiver.answer = status(200);
    const before = receiver.received.length;
    expect(await ask('POST', `/${id}/deliveries/${dead.id}/resend`)).toMatchObject({ status: 'pending' });
    await receiver.hears(before + 1);
    expect(receiver.received.at(-1)?.headers['webhook-id']).toBe(dead.id);
    await waitFor(async () => (await deliveries(id, '?status=delivered')).deliveries.length === 1, {
      what: 'it',
    });
    await gateway.stack.query(`UPDATE webhook_deliveries SET status = 'failed' WHERE endpoint_id = $1`, [id]);
    expect(await ask('POST', `/${id}/resend`)).toEqual({ resent: 1 });
    await receiver.hears(before + 2);
  });

  it('an endpoint that takes nothing for days, or says that it is gone, is disabled until it is enabled', async () => {
    const receiver = await listen();
    receiver.answer = status(500);
    const { id } = await create({ url: receiver.url() });
    const { jobId } = await gateway.insertUpload();
    await tell(jobId, 'one');
    await receiver.hears(1);
    await gateway.stack.query(
      `UPDATE webhook_endpoints SET failing_since = now() - interval '6 days', failures = 9 WHERE id = $1`,
      [id],
    );
    await waitFor(async () => !(await look(id)).enabled, { what: 'it to be disabled' });
    expect(await look(id)).toMatchObject({ disabled_reason: 'failing', disabled_at: expect.any(String) });
    await tell(jobId, 'unheard');
    await expect(ask('POST', `/${id}/test`)).rejects.toThrow('409 webhook_disabled');
    receiver.answer = status(200);
    expect(await ask('PATCH', `/${id}`, { enabled: true })).toMatchObject({
      enabled: true,
      failing_since: null,
    });
    await waitFor(async () => (await deliveries(id, '?status=delivered')).deliveries.length === 1, {
      what: 'it',
    });
    expect(said(receiver)).not.toContain('unheard');
    receiver.answer = status(410);
    await tell(jobId, 'two');
    await waitFor(async () => (await look(id)).disabled_reason === 'gone', { what: 'it to be gone' });
    expect((await deliveries(id, '?status=failed')).deliveries).toHaveLength(1);
  });

  it('a rotated secret signs beside the old one, until the overlap ends', async () => {
    const receiver = await listen();
    const { id, secret } = await create({ url: receiver.url() });
    const rotated = await ask<WebhookSecretData>('POST', `/${id}/secret`, { overlap_hours: 1 });
    expect(rotated.secret).not.toBe(secret);
    expect(rotated.previous_secret_until).not.toBeNull();
    await ask('POST', `/${id}/test`);
    await receiver.hears(1);
    for (const known of [secret, rotated.secret])
      expect(verified(receiver.received[0]!, known)).toMatchObject({ type: 'webhook_test' });
    await ask('POST', `/${id}/secret`, { overlap_hours: 0 });
    await ask('POST', `/${id}/test`);
    await receiver.hears(2);
    for (const known of [secret, rotated.secret])
      expect(() => verified(receiver.received[1]!, known)).toThrow('No matching signature');
    const [row] = await gateway.stack.query('SELECT secret FROM webhook_endpoints WHERE id = $1', [id]);
    expect(row?.secret).not.toContain('whsec');
  });

  it('pages through messages', async () => {
    const receiver = await listen();
    const { id } = await create({ url: receiver.url(), events: ['processing_completed'] });
    await gateway.stack.query(
      `INSERT INTO webhook_deliveries (endpoint_id, tenant_id, event_type, body, status, ended_at)
       SELECT $1, 'default', 'processing_failed', '{}', 'delivered', now() FROM generate_series(1, 120)`,
      [id],
    );
    const seen: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page: WebhookDeliveryPage = await deliveries(id, cursor && `?cursor=${cursor}`);
      seen.push(...page.deliveries.map((one) => one.id));
      cursor = page.next_cursor;
    }
    expect([seen.length, new Set(seen).size]).toEqual([120, 120]);
    await expect(deliveries(id, '?status=odd')).rejects.toThrow('400 validation_failed');
    await expect(deliveries(id, '?cursor=-1')).rejects.toThrow('400 validation_failed');
  });

  it('refuses what is wrong, and what is not there', async () => {
    const url = 'https://example.com/hook';
    for (const body of [
      {},
      { url: 1 },
      { url, events: [] },
      { url, events: ['heartbeat'] },
      { url, more: true },
      { url, description: 'a\nb' },
    ])
      await expect(create(body)).rejects.toThrow('400 validation_failed');
    await expect(create({ url: 'nowhere' })).rejects.toThrow('400 webhook_url_refused');
    for (const [method, path] of [
      ['GET', ''],
      ['PATCH', ''],
      ['DELETE', ''],
      ['POST', '/secret'],
      ['POST', '/test'],
      ['GET', '/deliveries'],
      ['POST', '/resend'],
      ['POST', `/deliveries/${randomUUID()}/resend`],
    ] as const) {
      const init = method === 'PATCH' ? { body: '{}', headers: { 'content-type': 'application/json' } } : {};
      const answer = await gateway.get(`/v1/webhooks/${randomUUID()}${path}`, { method, ...init });
      expect(await problem(answer), `${method} ${path}`).toEqual([404, 'webhook_not_found']);
    }
    const { id } = await create({ url });
    await expect(ask('GET', `/${id}/deliveries/${randomUUID()}`)).rejects.toThrow('404 delivery_not_found');
    for (let count = 1; count < 20; count += 1) await create({ url });
    await expect(create({ url })).rejects.toThrow('409 too_many_webhooks');
    expect((await ask<{ webhooks: WebhookData[] }>('GET', '')).webhooks).toHaveLength(20);
    expect((await gateway.get(`/v1/webhooks/${id}`, { method: 'DELETE' })).status).toBe(200);
    await expect(look(id)).rejects.toThrow('404');
  });

  it('another tenant neither sees an endpoint nor is told of facts', async () => {
    const receiver = await listen();
    const { id } = await create({ url: receiver.url() });
    await gateway.stack.query(`UPDATE webhook_endpoints SET tenant_id = 'another' WHERE id = $1`, [id]);
    await expect(look(id)).rejects.toThrow('404 webhook_not_found');
    await expect(ask('POST', `/${id}/secret`)).rejects.toThrow('404 webhook_not_found');
    expect((await ask<{ webhooks: WebhookData[] }>('GET', '')).webhooks).toEqual([]);
    const { jobId } = await gateway.insertUpload();
    await tell(jobId, 'not for you');
    const rows = await gateway.stack.query('SELECT 1 FROM webhook_deliveries WHERE job_id = $1', [jobId]);
    expect(rows).toEqual([]);
  });
});

describe('nothing is lost', () => {
  it('when the gateway dies in an attempt, and Redis is emptied meanwhile', async () => {
    const receiver = await listen();
    receiver.answer = () => undefined;
    const { id } = await create({ url: receiver.url() });
    const { jobId } = await gateway.insertUpload();
    await tell(jobId, 'one');
    await receiver.hears(1);
    await gateway.stack.kill('gateway');
    // Nobody else may take it while its owner could still be at it; that time is not waited for here.
    const [held] = await gateway.stack.query(
      `UPDATE webhook_deliveries d SET due_at = now() FROM webhook_deliveries old
       WHERE old.id = d.id AND d.endpoint_id = $1
       RETURNING extract(epoch FROM old.due_at - now())::float AS seconds`,
      [id],
    );
    expect(held?.seconds).toBeGreaterThan(0);
    expect(held?.seconds).toBeLessThanOrEqual(8);
    await tell(jobId, 'two');
    await tell(jobId, 'three');
    const redis = createRedis(gateway.stack.redisUrl, 'producer', 'test');
    await redis.flushdb();
    redis.disconnect();
    receiver.answer = status(200);
    await gateway.stack.restart('gateway');
    await waitFor(() => new Set(said(receiver).slice(1)).size === 3, { what: 'all three' });
    const ids = receiver.received.filter(({ message }) => message.data.message === 'one');
    expect(new Set(ids.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
  });

  it('when the gateway stops in an attempt: the message is given back; only what ended long ago is forgotten', async () => {
    const receiver = await listen();
    receiver.answer = () => undefined;
    const { id } = await create({ url: receiver.url() });
    const { jobId } = await gateway.insertUpload();
    await tell(jobId, 'one');
    await receiver.hears(1);
    await gateway.stack.kill('gateway', 'SIGTERM');
    const [row] = await gateway.stack.query(
      'SELECT status, due_at <= now() AS due FROM webhook_deliveries WHERE endpoint_id = $1',
      [id],
    );
    expect(row).toEqual({ status: 'pending', due: true });
    await gateway.stack.query(
      `INSERT INTO webhook_deliveries (endpoint_id, tenant_id, event_type, body, status, ended_at)
       SELECT $1, 'default', 'processing_failed', '{}', 'failed', now() - days * interval '1 day'
       FROM generate_series(29, 31) AS days`,
      [id],
    );
    receiver.answer = status(200);
    await gateway.stack.restart('gateway');
    await receiver.hears(2);
    await waitFor(async () => (await deliveries(id, '?status=failed')).deliveries.length === 1, {
      what: 'those that ended 30 days ago to be forgotten',
    });
  });
});
