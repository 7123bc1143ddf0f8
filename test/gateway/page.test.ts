import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type GatewayAlone, problem, startGatewayAlone } from './rows.js';

let gateway: GatewayAlone;
beforeAll(async () => {
  gateway = await startGatewayAlone();
});
afterAll(() => gateway?.stop());

it.each(['/', '/index.html', `/watch/${randomUUID()}`])(
  '%s is the page, revalidated every time',
  async (path) => {
    const response = await gateway.get(path);
    expect([response.status, response.headers.get('content-type')]).toEqual([
      200,
      'text/html; charset=utf-8',
    ]);
    expect(response.headers.get('cache-control')).toBe('no-cache');
    expect(await response.text()).toMatch(/^<!doctype html>/i);
    const etag = response.headers.get('etag') ?? '';
    expect((await gateway.get(path, { headers: { 'if-none-match': etag } })).status).toBe(304);
    const head = await gateway.get('/', { method: 'HEAD' });
    expect([head.status, head.headers.get('etag'), await head.text()]).toEqual([200, etag, '']);
  },
);

it('the page may reach itself, its socket and the upload service, and nothing else', async () => {
  const policy = (await gateway.get('/')).headers.get('content-security-policy') ?? '';
  const rules = Object.fromEntries(
    policy.split('; ').map((rule) => [rule.split(' ')[0], rule.split(' ').slice(1)]),
  );
  const { host } = new URL(gateway.url);
  expect(rules['default-src']).toEqual(["'self'"]);
  expect(rules['media-src']).toEqual(["'self'", 'blob:']);
  expect(rules['worker-src']).toEqual(["'self'", 'blob:']);
  expect(rules['connect-src']).toEqual(["'self'", `ws://${host}`, `wss://${host}`, 'http://127.0.0.1:4101']);
  expect(rules['frame-ancestors']).toEqual(["'none'"]);
  expect(rules['script-src']).toBeUndefined();
});

it('what the page names carries its hash and may be kept for ever', async () => {
  const html = await (await gateway.get('/')).text();
  const assets = [...html.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map((match) => match[1] ?? '');
  expect(assets.length).toBeGreaterThanOrEqual(3);
  for (const asset of assets) {
    const response = await gateway.get(asset);
    await response.arrayBuffer();
    expect([asset, response.status, response.headers.get('cache-control')]).toEqual([
      asset,
      200,
      'public, max-age=31536000, immutable',
    ]);
    expect(response.headers.get('content-type')).toMatch(/^(text\/javascript|text\/css|image\/svg\+xml)/);
  }
});

it('nothing outside of the page is served, and a watched id must be one', async () => {
  for (const path of [
    '/..%2fsrc/main.js',
    '/assets/..%2f..%2fsrc/main.js',
    '/.env',
    '/assets',
    '/%00',
    '/src/main.js',
  ]) {
    expect([path, ...(await problem(await gateway.get(path)))]).toEqual([path, 404, 'route_not_found']);
  }
  expect(await problem(await gateway.get('/watch/x'))).toEqual([400, 'malformed_id']);
});
