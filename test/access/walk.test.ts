import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ProblemDetails, SCOPES, SERVICES, type ServiceName } from '#contracts';
import { waitFor } from '#testing';
import { Watcher } from '../gateway/watcher.js';
import { BODIES, CLOSED, OPEN_TO_ALL } from './routes.js';
import { bearer, type Deployment, startDeployment, type Tenant } from './tenants.js';

/** A word in all that is Ada's. */
const MARK = 'belongs-to-ada';

let deployment: Deployment;
let ada: Tenant;
let bob: Tenant;
let routes: Route[];
/** Ids of Ada's, by what they are of. */
let hers: Record<string, string>;

beforeAll(async () => {
  deployment = await startDeployment({ services: {}, env: { LOG_LEVEL: 'debug' } });
  ada = await deployment.tenant('ada');
  bob = await deployment.tenant('bob');
  hers = await furnish();
  routes = (await Promise.all(SERVICES.map(routesOf))).flat();
});
afterAll(() => deployment?.stop());

async function routesOf(service: ServiceName) {
  const lines = (await deployment.stack.logs(service)).split('\n');
  const line = lines.find((one) => one.includes('"msg":"routes"'));
  const { routes } = JSON.parse(line ?? '{"routes":[]}') as { routes: string[] };
  expect(routes.length, service).toBeGreaterThan(2);
  return routes.map((route): Route => {
    const [method = '', pattern = ''] = route.split(' ');
    return { service, method, pattern };
  });
}

const BYTES = Buffer.concat([Buffer.from('\0\0\0\x18ftypmp42\0\0\0\0mp42isom'), Buffer.alloc(100, 7)]);

/** Something of each kind that a tenant can have. */
async function furnish(): Promise<Record<string, string>> {
  const { upload, gateway } = deployment.stack.urls;
  const send = async <T>(url: string, body: unknown): Promise<T> => {
    const headers = { ...bearer(ada.key), 'content-type': 'application/json' };
    const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
    expect([201, 202], url).toContain(answer.status);
    return ((await answer.json()) as { data: T }).data;
  };
  const { batch_id } = await send<{ batch_id: string }>(`${upload}/v1/upload/batch`, { name: MARK });
  const { session_id, job_id } = await send<{ session_id: string; job_id: string }>(
    `${upload}/v1/upload/video/session`,
    { filename: `${MARK}.mp4`, size: 10_000, batch_id },
  );
  await fetch(`${upload}/v1/upload/video/session/${session_id}/bytes/0`, {
    method: 'PUT',
    headers: {
      ...bearer(ada.key),
      'content-type': 'application/octet-stream',
      'x-content-sha256': createHash('sha256').update(BYTES).digest('hex'),
    },
    body: BYTES,
  });
  const tus = await fetch(`${upload}/files`, {
    method: 'POST',
    headers: { ...bearer(ada.key), 'tus-resumable': '1.0.0', 'upload-length': '1000' },
  });
  const [row] = await deployment.stack.query('SELECT asset_id FROM jobs WHERE id = $1', [job_id]);
  const { id: webhook } = await send<{ id: string }>(`${gateway}/v1/webhooks`, {
    ...{ url: 'https://webhooks.invalid/', description: MARK },
  });
  const { id: delivery } = await send<{ id: string }>(`${gateway}/v1/webhooks/${webhook}/test`, {});
  const { id: key } = await send<{ id: string }>(`${gateway}/v1/keys`, { name: MARK, scopes: ['jobs:read'] });
  return {
    ...{ batch: batch_id, session: session_id, job: job_id, key, asset: String(row?.asset_id) },
    ...{ webhook, delivery },
    tus: String(tus.headers.get('location')).split('/').at(-1)!,
  };
}

const HAS_PARAMETER = /:\w+/;

/** The pattern with each of Ada's ids in the place of its parameters. */
function addressesOf(route: string): string[] {
  const pattern = route.replace(':offset', '0');
  const ids = pattern.includes('/tenants/')
    ? [ada.id]
    : HAS_PARAMETER.test(pattern)
      ? Object.values(hers)
      : [''];
  return [
    ...new Set(
      ids.flatMap((id) =>
        ['early.m3u8', 'master.m3u8'].map((rest) =>
          pattern
            .replace(':delivery', hers.delivery ?? '')
            .replace(/:\w+/g, id)
            .replace(/\*$/, rest),
        ),
      ),
    ),
  ];
}

interface Route {
  service: ServiceName;
  method: string;
  pattern: string;
}

async function ask(credential: string | null, { service, method, pattern }: Route, path: string) {
  const given = BODIES[`${method} ${pattern}`] ?? {};
  const hasJson = given.json !== undefined;
  const patience = new AbortController();
  const response = await fetch(deployment.stack.urls[service] + path, {
    method,
    signal: patience.signal,
    headers: {
      ...(credential === null ? {} : bearer(credential)),
      ...(path.startsWith('/files') ? { 'tus-resumable': '1.0.0' } : {}),
      ...(hasJson ? { 'content-type': 'application/json' } : {}),
      ...given.headers,
    },
    ...(hasJson ? { body: JSON.stringify(given.json) } : {}),
    ...(given.bytes === undefined ? {} : { body: given.bytes }),
  });
  const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') ?? false;
  if (isStream) {
    patience.abort();
    return { status: response.status, code: null, text: '', headers: '' };
  }
  const text = await response.text();
  const headers = JSON.stringify([...response.headers]);
  let code: string | null = null;
  if (response.status >= 400 && text !== '') code = (JSON.parse(text) as ProblemDetails).code ?? null;
  return { status: response.status, code, text, headers };
}

/** Without what services write of their own accord: leases, and times. */
const everythingOfAda = () =>
  deployment.stack.query(
    `SELECT (SELECT json_agg(to_jsonb(t) - '{digest_owner,digest_until,updated_at}'::text[] ORDER BY id) FROM upload_sessions t WHERE tenant_id = 'ada') AS sessions,
       (SELECT json_agg(t ORDER BY session_id, byte_offset) FROM upload_chunks t WHERE tenant_id = 'ada') AS chunks,
       (SELECT json_agg(t ORDER BY id) FROM upload_batches t WHERE tenant_id = 'ada') AS batches,
       (SELECT json_agg(to_jsonb(t) - 'last_used_at' ORDER BY id) FROM api_keys t WHERE tenant_id = 'ada') AS keys,
       (SELECT json_agg(to_jsonb(t) - 'updated_at' ORDER BY id) FROM jobs t WHERE tenant_id = 'ada') AS jobs,
       (SELECT json_agg(t ORDER BY id) FROM assets t WHERE tenant_id = 'ada') AS assets,
       (SELECT json_agg(json_build_array(id, url, description)) FROM webhook_endpoints WHERE tenant_id = 'ada') AS webhooks`,
  );

const tellsOfAda = (text: string) => [MARK, ...Object.values(hers)].some((mark) => text.includes(mark));

describe('the stranger’s walk', () => {
  it('nobody without credentials gets anywhere but to what is for everybody', async () => {
    for (const route of routes) {
      const { service, method, pattern } = route;
      if (OPEN_TO_ALL.has(`${method} ${pattern}`)) continue;
      for (const path of addressesOf(pattern)) {
        const { status, code } = await ask(null, route, path);
        const refusals = CLOSED.test(pattern) || pattern.includes(':ticket') ? [401, 403] : [401];
        expect(refusals, `${service} ${method} ${path} ${status} ${code}`).toContain(status);
      }
    }
  });

  it('another tenant with every scope of its own gets nothing of Ada’s, on any route, and changes nothing', async () => {
    const before = await everythingOfAda();
    const seen: string[] = [];
    for (const route of routes) {
      const { service, method, pattern } = route;
      if (OPEN_TO_ALL.has(`${method} ${pattern}`) && !pattern.startsWith('/media')) continue;
      for (const path of addressesOf(pattern)) {
        const { status, code, text, headers } = await ask(bob.key, route, path);
        const said = `${service} ${method} ${path}: ${status} ${code} ${text.slice(0, 300)}`;
        expect(tellsOfAda(text) || tellsOfAda(headers), said).toBe(false);
        if (HAS_PARAMETER.test(pattern) && code !== 'method_not_allowed')
          expect([401, 403, 404], said).toContain(status);
        // What is refused for its shape was not looked up: the walk would prove nothing there.
        expect(code, `${said}; give it a body in routes.ts`).not.toBe('validation_failed');
        expect(status, said).toBeLessThan(500);
        seen.push(`${method} ${pattern}`);
      }
    }
    expect(seen.length).toBeGreaterThan(40);
    expect(await everythingOfAda()).toEqual(before);
  });

  it('an operator gets there: what the stranger heard was no accident', async () => {
    const operator = await deployment.tenant('ada', [...SCOPES]);
    const reads = routes.filter(
      ({ method, pattern }) => method === 'GET' && HAS_PARAMETER.test(pattern) && !CLOSED.test(pattern),
    );
    for (const route of reads.filter(({ pattern }) => !pattern.includes('ticket'))) {
      const { service, pattern } = route;
      const answers = await Promise.all(addressesOf(pattern).map((path) => ask(operator.key, route, path)));
      const found = answers.some(({ status, code }) => status < 400 || code === 'not_playable_yet');
      expect(found, `${service} ${pattern}`).toBe(true);
    }
  });

  it('no socket event tells a stranger anything', async () => {
    const { gateway, upload } = deployment.stack.urls;
    const hears: unknown[] = [];
    const stranger = await Watcher.connect(gateway, bob.key);
    const own = await Watcher.connect(gateway, ada.key);
    stranger.socket.onAny((...heard) => hears.push(heard));
    const bodies = Object.values(hers).flatMap((id) => [{ session_id: id }, { job_id: id }]);
    for (const event of socketEvents()) {
      for (const body of [...bodies, 'mine', { mine: true }, {}, null]) {
        hears.push(await stranger.socket.timeout(5000).emitWithAck(event, body));
      }
    }
    expect(await own.subscribe({ session_id: hers.session })).toMatchObject({ ok: true });
    await fetch(`${upload}/v1/upload/video/session/${hers.session}`, {
      method: 'DELETE',
      headers: bearer(ada.key),
    });
    await waitFor(() => own.facts.some((fact) => fact.event_type === 'upload_failed'), {
      what: 'Ada to hear of the end',
    });
    expect(tellsOfAda(JSON.stringify(hears))).toBe(false);
    stranger.close();
    own.close();
  });
});

/** From the sources: an event that is added is walked at once. */
function socketEvents(): string[] {
  const root = fileURLToPath(new URL('../../apps/gateway/src/', import.meta.url));
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.ts'),
  );
  const sources = files.map((file) => readFileSync(join(root, file), 'utf8')).join('\n');
  const events = [...sources.matchAll(/@SubscribeMessage\('([a-z_]+)'\)/g)].map(([, name]) => name ?? '');
  expect(events).toEqual(expect.arrayContaining(['subscribe', 'unsubscribe']));
  return events;
}
