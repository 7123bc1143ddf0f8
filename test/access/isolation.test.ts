import { createHash, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CreateSessionData, JobPage, ProblemDetails, SessionData } from '#contracts';
import { waitFor } from '#testing';
import { Watcher } from '../gateway/watcher.js';
import { bearer, type Deployment, startDeployment, type Tenant } from './tenants.js';

let deployment: Deployment;
let ada: Tenant;
let bob: Tenant;
let upload: string;
let gateway: string;

beforeAll(async () => {
  deployment = await startDeployment();
  ada = await deployment.tenant('ada');
  bob = await deployment.tenant('bob');
  upload = deployment.stack.urls.upload;
  gateway = deployment.stack.urls.gateway;
});
afterAll(() => deployment?.stop());

const BYTES = Buffer.concat([Buffer.from('\0\0\0\x18ftypmp42\0\0\0\0mp42isom'), Buffer.alloc(200, 7)]);

const json = (credential: string, body: unknown): RequestInit => ({
  method: 'POST',
  headers: { ...bearer(credential), 'content-type': 'application/json' },
  body: JSON.stringify(body),
});

async function open(credential: string, more: Record<string, unknown> = {}): Promise<CreateSessionData> {
  const body = { filename: 'clip.mp4', size: BYTES.length * 2, ...more };
  const response = await fetch(`${upload}/v1/upload/video/session`, json(credential, body));
  const answer = (await response.json()) as { data: CreateSessionData } & ProblemDetails;
  expect([response.status, answer.code]).toEqual([201, undefined]);
  return answer.data;
}

const sendFirst = (credential: string, session: string) =>
  fetch(`${upload}/v1/upload/video/session/${session}/bytes/0`, {
    method: 'PUT',
    headers: {
      ...bearer(credential),
      'content-type': 'application/octet-stream',
      'x-content-sha256': createHash('sha256').update(BYTES).digest('hex'),
    },
    body: BYTES,
  });

async function refusal(response: Response): Promise<[number, string]> {
  return [response.status, ((await response.json()) as ProblemDetails).code];
}

describe('AUTH_MODE=keys', () => {
  it('nobody is served who does not say who they are, and nobody who lies', async () => {
    const session = await open(ada.key);
    const address = `${upload}/v1/upload/video/session/${session.session_id}`;
    expect(await refusal(await fetch(address))).toEqual([401, 'unauthenticated']);
    const lies = ['nonsense', `sluice_${'A'.repeat(43)}`, 'eyJhbGciOiJub25lIn0.e30.'];
    for (const lie of lies) {
      expect(await refusal(await fetch(address, { headers: bearer(lie) }))).toEqual([
        401,
        'credentials_invalid',
      ]);
    }
    const header = { 'x-api-key': ada.key };
    expect((await fetch(address, { headers: header })).status).toBe(200);
    expect(await refusal(await fetch(`${gateway}/jobs/${session.job_id}`))).toEqual([401, 'unauthenticated']);
  });

  it('a key in an address is refused, since addresses are written down', async () => {
    const response = await fetch(`${gateway}/jobs/${randomUUID()}?access_token=${ada.key}`);
    expect(await refusal(response)).toEqual([401, 'credentials_invalid']);
  });

  it('a key does what its scopes say and no more', async () => {
    const reader = await deployment.tenant('ada', ['jobs:read']);
    const session = await open(ada.key);
    expect((await fetch(`${gateway}/jobs/${session.job_id}`, { headers: bearer(reader.key) })).status).toBe(
      200,
    );
    const denied = await fetch(`${upload}/v1/upload/video/session`, json(reader.key, {}));
    expect(await refusal(denied)).toEqual([403, 'scope_missing']);
  });

  it('the page and what probes ask is for everybody', async () => {
    for (const path of ['/', '/config.json', `/watch/${randomUUID()}`, '/health', '/health/live'])
      expect((await fetch(gateway + path)).status, path).toBe(200);
  });
});

describe('tenants', () => {
  it('see none of another one’s jobs, and act on none', async () => {
    const { job_id: job } = await open(ada.key);
    const jobs = `${gateway}/jobs`;
    for (const [path, init] of [
      [`${jobs}/${job}`, { method: 'DELETE', headers: bearer(bob.key) }],
      [`${jobs}/${job}?purge=true`, { method: 'DELETE', headers: bearer(bob.key) }],
      [`${jobs}/${job}/retry`, json(bob.key, {})],
      [`${jobs}/${job}/priority`, json(bob.key, { priority: 9 })],
    ] as const) {
      expect(await refusal(await fetch(path, init)), path).toEqual([404, 'job_not_found']);
    }
    const listed = async (key: string) =>
      ((await (await fetch(jobs, { headers: bearer(key) })).json()) as JobPage).jobs.map(({ id }) => id);
    expect(await listed(bob.key)).not.toContain(job);
    expect(await listed(ada.key)).toContain(job);
    const reader = await deployment.tenant('ada', ['jobs:read']);
    const denied = await fetch(`${jobs}/${job}`, { method: 'DELETE', headers: bearer(reader.key) });
    expect(await refusal(denied)).toEqual([403, 'scope_missing']);
    const quarantine = await fetch(`${gateway}/v1/quarantine`, { headers: bearer(ada.key) });
    expect(await refusal(quarantine)).toEqual([403, 'scope_missing']);
  });

  it('see 404 where another one has something, on every door of a session', async () => {
    const { session_id: id, job_id: job } = await open(ada.key);
    const address = `${upload}/v1/upload/video/session/${id}`;
    const as = (key: string, method: string) => ({ method, headers: bearer(key) });
    for (const [path, method] of [
      [address, 'GET'],
      [`${address}/complete`, 'POST'],
      [address, 'DELETE'],
    ] as const) {
      expect(await refusal(await fetch(path, as(bob.key, method))), path).toEqual([404, 'session_not_found']);
    }
    expect(await refusal(await sendFirst(bob.key, id))).toEqual([404, 'session_not_found']);
    expect(await refusal(await fetch(`${gateway}/jobs/${job}`, as(bob.key, 'GET')))).toEqual([
      404,
      'job_not_found',
    ]);
    expect((await sendFirst(ada.key, id)).status).toBe(200);
    const seen = (await (await fetch(address, as(ada.key, 'GET'))).json()) as { data: SessionData };
    expect(seen.data).toMatchObject({ status: 'active', bytes_received: BYTES.length });
  });

  it('a chunk by form does not reach another tenant’s session, wherever the form names it', async () => {
    const { session_id: id } = await open(ada.key);
    for (const late of [false, true]) {
      const form = new FormData();
      if (!late) form.set('session_id', id);
      form.set('chunk_index', '0');
      form.set('total_chunks', '2');
      form.set('file', new Blob([BYTES]), 'clip.mp4');
      if (late) form.set('session_id', id);
      const response = await fetch(`${upload}/v1/upload/video`, {
        method: 'POST',
        headers: bearer(bob.key),
        body: form,
      });
      expect(await refusal(response)).toEqual([404, 'session_not_found']);
    }
    const rows = await deployment.stack.query('SELECT 1 FROM upload_chunks WHERE session_id = $1', [id]);
    expect(rows).toEqual([]);
  });

  it('a known file of another tenant is not known', async () => {
    const sha256 = 'a'.repeat(64);
    await deployment.stack.query(
      `WITH asset AS (INSERT INTO assets (id, tenant_id, profile, sha256, edges_sha256, size, status)
         VALUES (gen_random_uuid(), 'ada', 'default', $1, $1, 500, 'ready') RETURNING id)
       INSERT INTO jobs (id, tenant_id, asset_id, status, stage, progress, source_complete)
         SELECT gen_random_uuid(), 'ada', id, 'completed', 'completed', 100, true FROM asset`,
      [sha256],
    );
    const possible = async (key: string) => {
      const response = await fetch(
        `${upload}/v1/upload/video/known`,
        json(key, { size: 500, edges_sha256: sha256 }),
      );
      return ((await response.json()) as { data: { possible: boolean } }).data.possible;
    };
    expect([await possible(ada.key), await possible(bob.key)]).toEqual([true, false]);
    expect((await open(bob.key, { size: 500, file_hash: sha256 })).duplicate).toBe(false);
    expect((await open(ada.key, { size: 500, file_hash: sha256 })).duplicate).toBe(true);
  });

  it('batches are of one tenant: looked at, joined and cancelled by no other', async () => {
    const created = await fetch(`${upload}/v1/upload/batch`, json(ada.key, { name: 'mine' }));
    const { batch_id: id } = ((await created.json()) as { data: { batch_id: string } }).data;
    for (const method of ['GET', 'DELETE']) {
      const response = await fetch(`${upload}/v1/upload/batch/${id}`, { method, headers: bearer(bob.key) });
      expect(await refusal(response)).toEqual([404, 'batch_not_found']);
    }
    const joining = { filename: 'clip.mp4', size: 500, batch_id: id };
    const joined = await fetch(`${upload}/v1/upload/video/session`, json(bob.key, joining));
    expect(await refusal(joined)).toEqual([404, 'batch_not_found']);
    await open(ada.key, { batch_id: id });
  });

  it('tus: an upload is not there for others, nor its parts for their file', async () => {
    const tus = (key: string, method: string, more: Record<string, string> = {}) => ({
      method,
      headers: { ...bearer(key), 'tus-resumable': '1.0.0', ...more },
    });
    const part = { 'upload-concat': 'partial', 'upload-length': '10' };
    const created = await fetch(`${upload}/files`, tus(ada.key, 'POST', part));
    const location = upload + created.headers.get('location');
    expect((await fetch(location, tus(ada.key, 'HEAD'))).status).toBe(200);
    for (const [method, headers] of [
      ['HEAD', {}],
      ['DELETE', {}],
      ['PATCH', { 'upload-offset': '0', 'content-type': 'application/offset+octet-stream' }],
    ] as const)
      expect((await fetch(location, tus(bob.key, method, { ...headers }))).status, method).toBe(404);
    const joined = await fetch(
      `${upload}/files`,
      tus(bob.key, 'POST', { 'upload-concat': `final;${location}` }),
    );
    expect(await refusal(joined)).toEqual([404, 'session_not_found']);
  });

  it('sockets: no one connects without credentials or follows what is not theirs', async () => {
    const { session_id, job_id } = await open(ada.key);
    await expect(Watcher.connect(gateway)).rejects.toThrow(/API key/);
    const [mine, other] = await Promise.all([
      Watcher.connect(gateway, ada.key),
      Watcher.connect(gateway, bob.key),
    ]);
    expect(await mine.subscribe({ session_id })).toMatchObject({ ok: true });
    expect(await other.subscribe({ session_id })).toMatchObject({ ok: false, code: 'session_not_found' });
    expect(await other.subscribe({ job_id })).toMatchObject({ ok: false, code: 'job_not_found' });
    await sendFirst(ada.key, session_id);
    await fetch(`${upload}/v1/upload/video/session/${session_id}`, {
      method: 'DELETE',
      headers: bearer(ada.key),
    });
    await waitFor(() => mine.facts.some((fact) => fact.event_type === 'upload_failed'), {
      what: 'the end to be heard',
    });
    expect(other.facts).toEqual([]);
    mine.close();
    other.close();
  });

  it('webhooks are of one tenant, and need their scope', async () => {
    const address = `${gateway}/v1/webhooks`;
    const url = 'https://example.com/hook';
    const made = await fetch(address, json(ada.key, { url }));
    const { id } = ((await made.json()) as { data: { id: string } }).data;
    const doors: [string, string][] = [
      ['GET', ''],
      ['DELETE', ''],
      ['POST', '/secret'],
      ['POST', '/test'],
      ['POST', '/resend'],
      ['GET', '/deliveries'],
      ['GET', `/deliveries/${id}`],
      ['POST', `/deliveries/${id}/resend`],
    ];
    for (const [method, path] of doors) {
      const stranger = await fetch(`${address}/${id}${path}`, { method, headers: bearer(bob.key) });
      expect(stranger.status, `${method} ${path}`).toBe(404);
      const nobody = await fetch(`${address}/${id}${path}`, { method });
      expect(await refusal(nobody)).toEqual([401, 'unauthenticated']);
    }
    const change = { ...json(bob.key, { url }), method: 'PATCH' };
    expect(await refusal(await fetch(`${address}/${id}`, change))).toEqual([404, 'webhook_not_found']);
    const listed = (await (await fetch(address, { headers: bearer(bob.key) })).json()) as { data: object };
    expect(listed.data).toEqual({ webhooks: [] });
    const reader = await deployment.tenant('ada', ['jobs:read']);
    expect(await refusal(await fetch(address, json(reader.key, { url })))).toEqual([403, 'scope_missing']);
    expect((await fetch(`${address}/${id}`, { headers: bearer(ada.key) })).status).toBe(200);
  });

  it('media is for those whose it is', async () => {
    const { job_id } = await open(ada.key);
    const [row] = await deployment.stack.query('SELECT asset_id FROM jobs WHERE id = $1', [job_id]);
    const address = `${gateway}/media/${row?.asset_id}/early.m3u8`;
    expect(await refusal(await fetch(address, { headers: bearer(ada.key) }))).toEqual([
      404,
      'not_playable_yet',
    ]);
    expect(await refusal(await fetch(address, { headers: bearer(bob.key) }))).toEqual([
      404,
      'media_not_found',
    ]);
  });
});
