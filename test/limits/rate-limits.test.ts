import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RateLimiter } from '#queue';
import { type Stack, startStack, testRedisUrl, waitFor } from '#testing';
import { bearer, startDeployment } from '../access/tenants.js';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({
    services: { transcode: 0, 'segment-upload': 0, gateway: 2 },
    env: {
      TRUST_PROXY: 'true',
      RATE_LIMIT_ADDRESS_PER_MINUTE: '12',
      RATE_LIMIT_CHUNKS_PER_MINUTE: '120',
      WEBSOCKET_ENABLED: 'false',
    },
  });
});
afterAll(() => stack?.stop());

const NOBODY = '/jobs/00000000-0000-0000-0000-000000000000';

/** As through a proxy that tells whose request it is. */
const ask = (address: string, path = NOBODY, index = 0) =>
  fetch(`${stack.processes.gateway[index]?.url}${path}`, { headers: { 'x-forwarded-for': address } });

const statuses = async (requests: Promise<Response>[]) =>
  (await Promise.all(requests)).map(({ status }) => status);
const many = (count: number, request: (i: number) => Promise<Response>) =>
  statuses(Array.from({ length: count }, (_, i) => request(i)));

describe('rate limits', () => {
  it('hold for an address over all processes, say when to go on, and are of nobody else', async () => {
    // Ten at once; one more may have become due meanwhile. Where Redis is late nothing is counted.
    let address = '';
    for (let last = 100; address === ''; last++) {
      const given = await many(20, (i) => ask(`203.0.113.${last}`, NOBODY, i % 2));
      const [served, refused] = [404, 429].map((status) => given.filter((one) => one === status).length);
      expect(served).toBeGreaterThanOrEqual(10);
      if (refused! >= 8) address = `203.0.113.${last}`;
      expect(last).toBeLessThan(110);
    }
    const refused = await ask(address);
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(Number(refused.headers.get('retry-after'))).toBeLessThanOrEqual(5);
    expect(await refused.json()).toMatchObject({ code: 'rate_limited', status: 429 });
    expect((await ask('203.0.113.8')).status).toBe(404);
  });

  it('an IPv6 network is one address, and this machine is none', async () => {
    const spread = await many(20, (i) => ask(`2001:db8:1:2::${i.toString(16)}`));
    expect(spread).toContain(429);
    expect((await ask('2001:db8:1:3::1')).status).toBe(404);
    expect(new Set(await many(40, () => ask('127.0.0.1')))).toEqual(new Set([404]));
    expect(new Set(await many(40, () => ask('::ffff:127.0.0.1')))).toEqual(new Set([404]));
  });

  it('leave media and probes alone, and chunks their own budget', async () => {
    const media = '/media/00000000-0000-0000-0000-000000000000/master.m3u8';
    expect(new Set(await many(30, () => ask('203.0.113.9', media)))).toEqual(new Set([404]));
    expect(new Set(await many(30, () => ask('203.0.113.9', '/health')))).toEqual(new Set([200]));
    const from = { 'x-forwarded-for': '203.0.113.10' };
    const session = (await (
      await fetch(`${stack.urls.upload}/v1/upload/video/session`, {
        method: 'POST',
        headers: { ...from, 'content-type': 'application/json' },
        body: JSON.stringify({ filename: 'a.mp4', size: 100_000 }),
      })
    ).json()) as { data: { upload_path: string } };
    const bytes = Buffer.alloc(100, 1);
    const hash = createHash('sha256').update(bytes).digest('hex');
    const sent = await many(20, (i) =>
      fetch(`${stack.urls.upload}${session.data.upload_path}/${i * 100}`, {
        method: 'PUT',
        headers: { ...from, 'content-type': 'application/octet-stream', 'x-content-sha256': hash },
        body: bytes,
      }),
    );
    expect(sent).not.toContain(429);
  });

  it('the even rate counts after a burst, in whichever process', async () => {
    const url = await testRedisUrl();
    const [one, other] = [new RateLimiter(url, 'one'), new RateLimiter(url, 'other')];
    try {
      const rate = { perMinute: 6, burst: 5 };
      const limiter = (i: number) => (i % 2 ? one : other);
      await waitFor(
        async () =>
          (await Promise.all([one, other].map((l) => l.take('x', { perMinute: 1, burst: 1 })))).some(
            (ms) => ms > 0,
          ),
        { what: 'both to be there' },
      );
      const waits = [];
      for (let i = 0; i < 8; i++) waits.push(await limiter(i).take('a', rate));
      expect(waits.slice(0, 5)).toEqual([0, 0, 0, 0, 0]);
      for (const ms of waits.slice(5)) {
        expect(ms).toBeGreaterThan(0);
        expect(ms).toBeLessThanOrEqual(10_000);
      }
      const quick = { perMinute: 600, burst: 1 };
      await other.take('b', quick);
      await waitFor(async () => (await other.take('b', quick)) === 0, {
        what: 'the next one',
        intervalMs: 10,
      });
    } finally {
      one.close();
      other.close();
    }
  });

  it('fail open: without Redis nobody is refused', async () => {
    const away = new RateLimiter('redis://127.0.0.1:1', 'away');
    try {
      for (let i = 0; i < 5; i++) expect(await away.take('a', { perMinute: 1, burst: 1 })).toBe(0);
    } finally {
      away.close();
    }
  });
});

describe('rate limits of keys', () => {
  it('hold for a key from wherever it is used, and for no other', async () => {
    const deployment = await startDeployment({
      services: { upload: 0, transcode: 0, 'segment-upload': 0 },
      env: { RATE_LIMIT_KEY_PER_MINUTE: '12', WEBSOCKET_ENABLED: 'false' },
    });
    try {
      const [one, other] = [await deployment.tenant('one'), await deployment.tenant('other')];
      const askWith = (key: string) =>
        fetch(`${deployment.stack.urls.gateway}/v1/usage`, { headers: bearer(key) });
      expect((await askWith(one.key)).status).toBe(200);
      const given = await many(20, () => askWith(one.key));
      expect(given.filter((status) => status === 429).length).toBeGreaterThanOrEqual(8);
      const answer = await askWith(other.key);
      expect(answer.status).toBe(200);
      expect(await answer.json()).toMatchObject({ id: 'other', usage: { open_sessions: 0 } });
      const foreign = await fetch(`${deployment.stack.urls.gateway}/v1/tenants/one`, {
        headers: bearer(other.key),
      });
      expect(foreign.status).toBe(403);
    } finally {
      await deployment.stop();
    }
  });
});
