import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { DEFAULT_TENANT } from '#contracts';
import { recordFact } from '#events';
import { openDataSource } from '#persistence';
import { createRedis } from '#queue';
import { startStack, waitFor } from '#testing';
import { Random, seedOfThisRun } from '../upload/property/random.js';
import { Receiver, verified } from '../webhooks/receiver.js';

const FAULTS = 12;
const FACTS_EACH = 50;

it('S1-11 of two gateways that die at random, with Redis emptied now and then, every fact is told', async () => {
  const seed = seedOfThisRun();
  console.log(`SLUICE_TEST_SEED=${seed}`);
  const random = new Random(seed);
  const stack = await startStack({
    services: { upload: 0, transcode: 0, 'segment-upload': 0, gateway: 2 },
    env: { WEBHOOK_ALLOW_PRIVATE: '127.0.0.0/8', WEBHOOK_TIMEOUT_SECONDS: '1', WEBHOOK_RETRY_SECONDS: '0.2' },
  });
  const database = await openDataSource({ databaseUrl: stack.databaseUrl, poolSize: 2, name: 'test' });
  const redis = createRedis(stack.redisUrl, 'producer', 'test');
  const receiver = await Receiver.listen();
  receiver.answer = (response) => {
    const luck = random.between(0, 9);
    if (luck === 0) response.socket?.destroy();
    else if (luck === 1) response.writeHead(500).end();
    else if (luck !== 2) response.end();
  };
  try {
    const made = await fetch(`${stack.urls.gateway}/v1/webhooks`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ url: receiver.url(), events: ['processing_progress'] }),
    });
    const { secret } = ((await made.json()) as { data: { secret: string } }).data;
    const [asset, job] = [randomUUID(), randomUUID()];
    await database.query(`INSERT INTO assets (id, tenant_id, profile) VALUES ($1, $2, 'default')`, [
      ...[asset, DEFAULT_TENANT],
    ]);
    await database.query('INSERT INTO jobs (id, tenant_id, asset_id) VALUES ($1, $2, $3)', [
      ...[job, DEFAULT_TENANT, asset],
    ]);
    const tellSome = async () => {
      for (let fact = 0; fact < FACTS_EACH; fact += 1) {
        await database.transaction((manager) =>
          recordFact(manager, job, { type: 'processing_progress', durable: true, message: 'a milestone' }),
        );
      }
    };
    for (let fault = 0; fault < FAULTS; fault += 1) {
      const enough = receiver.received.length + random.between(1, 20);
      const empties = random.between(1, 4) === 1;
      const which = random.between(0, 1);
      const signal = random.between(1, 3) === 1 ? 'SIGTERM' : 'SIGKILL';
      const telling = tellSome();
      await waitFor(() => receiver.received.length >= enough, { what: 'messages to flow' });
      if (empties) await redis.flushdb();
      await stack.kill('gateway', signal, which);
      await Promise.all([telling, stack.restart('gateway', which)]);
    }
    receiver.answer = (response) => response.end();
    // What failed late in this run is due minutes later.
    await stack.query(`UPDATE webhook_deliveries SET due_at = now() WHERE status = 'pending'`);
    const open = async () => {
      const [row] = await stack.query(
        `SELECT count(*)::integer AS open FROM webhook_deliveries WHERE status <> 'delivered'`,
      );
      return row?.open === 0;
    };
    await waitFor(open, { what: 'all to be delivered', timeoutMs: 60_000 });
    const facts = new Map(receiver.received.map((one) => [one.message.data.seq, one.headers['webhook-id']]));
    expect([...facts.keys()].sort((a, b) => Number(a) - Number(b))).toEqual(
      Array.from({ length: FAULTS * FACTS_EACH }, (_, at) => at + 1),
    );
    for (const one of receiver.received) {
      expect(one.headers['webhook-id']).toBe(facts.get(one.message.data.seq));
      verified(one, secret);
    }
  } finally {
    receiver.close();
    redis.disconnect();
    await database.destroy();
    await stack.stop();
  }
}, 180_000);
