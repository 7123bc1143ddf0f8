import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { QUEUE_NAMES } from '#contracts';
import { type GatewayAlone, startGatewayAlone } from './rows.js';
import { connects } from './watcher.js';

let gateway: GatewayAlone;
const FRIEND = 'https://videos.example';

beforeAll(async () => {
  gateway = await startGatewayAlone({ ALLOWED_ORIGINS: FRIEND, ALLOWED_HOSTS: 'sluice.example' });
});
afterAll(() => gateway?.stop());

interface Answer {
  status: number;
  headers: Record<string, unknown>;
  body: string;
}

/** `fetch` does not let a caller choose Host and Origin. */
function ask(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(gateway.url + path, { method, headers }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (data: string) => {
        body += data;
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
      );
    });
    sent.on('error', reject);
    sent.end();
  });
}

describe('strangers', () => {
  const paths = [
    '/',
    '/config.json',
    '/jobs/x',
    '/media/x/early.m3u8',
    '/admin/queues',
    '/admin/queues/api/queues',
  ];

  it.each(paths)('%s is refused to a foreign Host and a foreign Origin', async (path) => {
    const rebound = await ask(path, { host: 'evil.example' });
    expect([rebound.status, JSON.parse(rebound.body).code]).toEqual([403, 'host_not_allowed']);
    const posted = await ask(path, { origin: 'https://evil.example' });
    expect([posted.status, JSON.parse(posted.body).code]).toEqual([403, 'origin_not_allowed']);
  });

  it('the socket is refused to a foreign Host and a foreign Origin, by both transports', async () => {
    const strange: Record<string, string>[] = [
      { host: 'evil.example' },
      { origin: 'https://evil.example' },
      { origin: 'null' },
    ];
    for (const headers of strange) {
      expect(await connects(gateway.url, headers)).toBe(false);
      expect((await ask('/socket.io/?EIO=4&transport=polling', headers)).status).toBe(403);
    }
  });

  it('our own page, a listed origin and a listed host are served', async () => {
    expect(await connects(gateway.url, {})).toBe(true);
    expect(await connects(gateway.url, { origin: gateway.url })).toBe(true);
    expect(await connects(gateway.url, { origin: FRIEND })).toBe(true);
    expect(await connects(gateway.url, { host: 'sluice.example' })).toBe(true);
    const friendly = await ask('/config.json', { origin: FRIEND });
    expect([friendly.status, friendly.headers['access-control-allow-origin']]).toEqual([200, FRIEND]);
    const polling = await ask('/socket.io/?EIO=4&transport=polling', { origin: FRIEND });
    expect([polling.status, polling.headers['access-control-allow-origin']]).toEqual([200, FRIEND]);
  });
});

describe('the operator’s board', () => {
  const pause = '/admin/queues/api/queues/plan/pause';

  it('shows every queue and nothing of the Redis server', async () => {
    const page = await ask('/admin/queues');
    expect([page.status, String(page.headers['content-type'])]).toEqual([200, 'text/html; charset=utf-8']);
    expect(page.headers['x-frame-options']).toBe('DENY');
    const listed = JSON.parse((await ask('/admin/queues/api/queues')).body) as { queues: { name: string }[] };
    expect(listed.queues.map((queue) => queue.name).sort()).toEqual([...QUEUE_NAMES].sort());
    const redis = await ask('/admin/queues/api/redis/stats');
    expect(redis.body).not.toContain('used_memory');
    expect(redis.body).not.toContain('redis_version');
  });

  it('changes something only for its own page', async () => {
    const own = { origin: gateway.url };
    expect((await ask(pause, {}, 'PUT')).status).toBe(403);
    expect((await ask(pause, { origin: FRIEND }, 'PUT')).status).toBe(403);
    expect((await ask(pause, { origin: 'null' }, 'PUT')).status).toBe(403);
    expect((await ask('/admin/queues/api/queues', { origin: FRIEND })).status).toBe(403);
    expect((await ask(pause, own, 'PUT')).status).toBe(200);
    const listed = JSON.parse((await ask('/admin/queues/api/queues', own)).body) as {
      queues: { name: string; isPaused: boolean }[];
    };
    expect(listed.queues.find((queue) => queue.name === 'plan')?.isPaused).toBe(true);
  });
});
