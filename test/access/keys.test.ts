import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deriveKey } from '#access';
import type { CreateSessionData, KeyData, NewKeyData, ProblemDetails, UploadTokenData } from '#contracts';
import { waitFor } from '#testing';
import { Watcher } from '../gateway/watcher.js';
import { isLongRun } from '../long-run.js';
import { bearer, type Deployment, SECRET, startDeployment, type Tenant } from './tenants.js';

let deployment: Deployment;
let ada: Tenant;
let upload: string;
let gateway: string;

beforeAll(async () => {
  deployment = await startDeployment();
  ada = await deployment.tenant('ada');
  upload = deployment.stack.urls.upload;
  gateway = deployment.stack.urls.gateway;
});
afterAll(() => deployment?.stop());

interface Answer<T> {
  status: number;
  code: string | undefined;
  data: T;
}

async function ask<T>(
  credential: string,
  method: string,
  url: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer<T>> {
  const sends: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' };
  const response = await fetch(url, {
    method,
    headers: { ...bearer(credential), ...sends, ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const answer = (await response.json()) as { data: T } & ProblemDetails;
  return { status: response.status, code: answer.code, data: answer.data };
}

const isTaken = async (key: string) =>
  (await ask(key, 'GET', `${gateway}/v1/keys`)).code !== 'credentials_invalid';

describe('API keys', () => {
  it('are made, listed without themselves, and stored as digests', async () => {
    const wanted = { name: 'page server', scopes: ['jobs:read', 'keys:write'] };
    const { status, data } = await ask<NewKeyData>(ada.key, 'POST', `${gateway}/v1/keys`, wanted);
    expect([status, data.tenant_id, data.scopes]).toEqual([201, 'ada', wanted.scopes]);
    expect(data.key).toMatch(/^sluice_[A-Za-z0-9_-]{43}$/);
    expect(await isTaken(data.key)).toBe(true);
    const listed = await ask<{ keys: KeyData[] }>(ada.key, 'GET', `${gateway}/v1/keys`);
    const mine = listed.data.keys.find(({ id }) => id === data.id)!;
    expect(mine.hint).toBe(data.key.slice(0, 11));
    expect(JSON.stringify(listed.data)).not.toContain(data.key);
    expect(mine.last_used_at).not.toBeNull();
    const [row] = await deployment.stack.query('SELECT * FROM api_keys WHERE id = $1', [data.id]);
    expect(row?.hash).toEqual(createHash('sha256').update(data.key).digest());
    expect(JSON.stringify(row)).not.toContain(data.key);
  });

  it('give nothing that who makes them does not have, and of no other tenant', async () => {
    const small = await deployment.tenant('ada', ['keys:write']);
    const keys = `${gateway}/v1/keys`;
    const code = async (body: unknown) => (await ask(small.key, 'POST', keys, body)).code;
    expect(await code({ name: 'x', scopes: ['operator'] })).toBe('scope_missing');
    expect(await code({ name: 'x', scopes: ['jobs:read'] })).toBe('scope_missing');
    expect(await code({ name: 'x', scopes: ['keys:write'], tenant_id: 'bob' })).toBe('scope_missing');
    expect(await code({ name: 'x', scopes: [] })).toBe('validation_failed');
    expect((await ask(small.key, 'POST', `${keys}/${ada.keyId}/rotate`, {})).code).toBe('scope_missing');
    const bob = await deployment.tenant('bob');
    expect((await ask(bob.key, 'POST', `${keys}/${ada.keyId}/rotate`, {})).code).toBe('key_not_found');
    expect((await ask(bob.key, 'DELETE', `${keys}/${ada.keyId}`)).code).toBe('key_not_found');
    const seen = await ask<{ keys: KeyData[] }>(bob.key, 'GET', keys);
    expect(new Set(seen.data.keys.map(({ tenant_id }) => tenant_id))).toEqual(new Set(['bob']));
  });

  it('an operator makes keys for any tenant', async () => {
    const operator = await deployment.tenant('default', ['keys:write', 'jobs:read', 'operator']);
    const body = { name: 'x', scopes: ['jobs:read'], tenant_id: 'carol' };
    const made = await ask<NewKeyData>(operator.key, 'POST', `${gateway}/v1/keys`, body);
    expect([made.status, made.data.tenant_id]).toEqual([201, 'carol']);
  });

  it('are rotated with an overlap, and the old one ends after it', async () => {
    const old = await deployment.tenant('ada');
    const address = `${gateway}/v1/keys/${old.keyId}/rotate`;
    const next = await ask<NewKeyData>(old.key, 'POST', address, { overlap_seconds: 1 });
    expect(next.status).toBe(201);
    expect(await isTaken(next.data.key)).toBe(true);
    expect((await ask(ada.key, 'POST', address, {})).code).toBe('key_not_found');
    await waitFor(async () => !(await isTaken(old.key)), { what: 'the old key to end' });
    expect(await isTaken(next.data.key)).toBe(true);
  });

  it('that are revoked are refused within seconds, in every process, and their sockets are closed', async () => {
    const gone = await deployment.tenant('ada');
    const watcher = await Watcher.connect(gateway, gone.key);
    expect(await isTaken(gone.key)).toBe(true);
    expect((await ask(ada.key, 'DELETE', `${gateway}/v1/keys/${gone.keyId}`)).status).toBe(200);
    await waitFor(async () => !(await isTaken(gone.key)), { what: 'the key to be refused' });
    await waitFor(() => !watcher.socket.connected, { what: 'the socket to be closed' });
  });

  it.runIf(isLongRun)('are made, listed and revoked by the command, too', async () => {
    const commands = new URL('../../dist/libs/cli/src/main.js', import.meta.url).href;
    const script = `process.exit(await (await import('${commands}')).runCommand(process.argv.slice(1), process.env))`;
    const run = (...args: string[]) =>
      promisify(execFile)(process.execPath, ['--input-type=module', '-e', script, 'keys', ...args], {
        env: { ...process.env, DATABASE_URL: deployment.stack.databaseUrl },
      });
    const made = await run('create', '--name', 'by hand', '--tenant', 'dora', '--days', '3');
    const key = made.stdout.trim();
    expect(await isTaken(key)).toBe(true);
    const listed = (await run('list', '--tenant', 'dora')).stdout;
    expect(listed).toContain('by hand');
    expect(listed).not.toContain(key);
    await run('revoke', listed.split(' ')[0]!);
    await waitFor(async () => !(await isTaken(key)), { what: 'the key to be refused' });
    await expect(run('create', '--name', 'x', '--scopes', 'root')).rejects.toMatchObject({ code: 2 });
  });
});

describe('upload tokens', () => {
  const issue = async (more: Record<string, unknown> = {}) =>
    (await ask<UploadTokenData>(ada.key, 'POST', `${gateway}/v1/upload-tokens`, { size: 1000, ...more }))
      .data;
  const sessions = () => `${upload}/v1/upload/video/session`;
  const clip = { filename: 'clip.mp4', size: 1000 };

  it('open one session, of one size, once; who asks again gets the same', async () => {
    const { token, session_id } = await issue();
    const first = await ask<CreateSessionData>(token, 'POST', sessions(), clip);
    expect([first.status, first.data.session_id]).toEqual([201, session_id]);
    const again = await ask<CreateSessionData>(token, 'POST', sessions(), clip);
    expect([again.status, again.data.session_id, again.data.job_id]).toEqual([
      201,
      session_id,
      first.data.job_id,
    ]);
    const other = await issue();
    const wrong = await ask(other.token, 'POST', sessions(), { ...clip, size: 1001 });
    expect([wrong.status, wrong.code]).toEqual([403, 'upload_not_allowed']);
    const form = new FormData();
    form.set('file', new Blob([Buffer.from('\0\0\0\x18ftypmp42')]), 'clip.mp4');
    const sent = await fetch(`${upload}/v1/upload/video`, {
      method: 'POST',
      headers: bearer(other.token),
      body: form,
    });
    expect([sent.status, ((await sent.json()) as ProblemDetails).code]).toEqual([403, 'upload_not_allowed']);
  });

  it('reach no other session, and with a person’s name what is theirs to see, not to change', async () => {
    const [anna, anna2, otto, nobody] = await Promise.all([
      issue({ user_id: 'anna' }),
      issue({ user_id: 'anna' }),
      issue({ user_id: 'otto' }),
      issue(),
    ]);
    for (const { token } of [anna, anna2, otto, nobody]) await ask(token, 'POST', sessions(), clip);
    const look = async (token: string, id: string) => (await ask(token, 'GET', `${sessions()}/${id}`)).status;
    expect(await look(anna.token, anna2.session_id)).toBe(200);
    expect(await look(otto.token, anna.session_id)).toBe(404);
    expect(await look(nobody.token, anna.session_id)).toBe(404);
    expect(await look(nobody.token, nobody.session_id)).toBe(200);
    expect((await ask(anna.token, 'DELETE', `${sessions()}/${anna2.session_id}`)).code).toBe(
      'session_not_found',
    );
    const [job] = await deployment.stack.query('SELECT job_id FROM upload_sessions WHERE id = $1', [
      anna.session_id,
    ]);
    const jobStatus = async (token: string) =>
      (await ask(token, 'GET', `${gateway}/jobs/${job?.job_id}`)).status;
    expect([
      await jobStatus(anna2.token),
      await jobStatus(otto.token),
      await jobStatus(nobody.token),
    ]).toEqual([200, 404, 404]);
    const watcher = await Watcher.connect(gateway, otto.token);
    expect(await watcher.subscribe({ session_id: anna.session_id })).toMatchObject({ ok: false });
    expect(await watcher.subscribe({ session_id: otto.session_id })).toMatchObject({ ok: true });
    watcher.close();
    const row = await deployment.stack.query('SELECT user_id FROM upload_sessions WHERE id = $1', [
      otto.session_id,
    ]);
    expect(row).toEqual([{ user_id: 'otto' }]);
  });

  it('are for pages of their origin, and go into the address of what only reads', async () => {
    const origin = 'https://videos.example';
    const { token, session_id } = await issue({ origin });
    const from = async (headers: Record<string, string>) =>
      (await ask(token, 'POST', sessions(), clip, headers)).code;
    expect(await from({})).toBe('credentials_invalid');
    expect(await from({ origin: upload })).toBe('credentials_invalid');
    const plain = await issue();
    const opened = await ask<CreateSessionData>(plain.token, 'POST', sessions(), clip);
    const seen = await fetch(`${gateway}/jobs/${opened.data.job_id}?access_token=${plain.token}`);
    expect(seen.status).toBe(200);
    const posted = await fetch(`${sessions()}?access_token=${plain.token}`, { method: 'POST' });
    expect(posted.status).toBe(401);
    expect(session_id).not.toBe(plain.session_id);
  });

  it('that are forged, late, of another use or of a revoked key are refused', async () => {
    const claims = { tid: 'ada', sid: randomUUID(), size: 1000 };
    const sign = (key: Uint8Array, exp: number, audience = 'sluice-uploads') =>
      new SignJWT(claims)
        .setProtectedHeader({ alg: 'HS256' })
        .setIssuer('sluice')
        .setAudience(audience)
        .setIssuedAt()
        .setExpirationTime(exp)
        .sign(key);
    const now = Math.floor(Date.now() / 1000);
    const ours = deriveKey(SECRET, 'upload tokens');
    const code = async (token: string) => (await ask(token, 'POST', sessions(), clip)).code;
    expect(await code(await sign(deriveKey('x'.repeat(32), 'upload tokens'), now + 60))).toBe(
      'credentials_invalid',
    );
    expect(await code(await sign(new TextEncoder().encode(SECRET), now + 60))).toBe('credentials_invalid');
    expect(await code(await sign(ours, now + 60, 'others'))).toBe('credentials_invalid');
    expect(await code(await sign(ours, now - 90))).toBe('credentials_invalid');
    expect(await code(await sign(ours, now - 30))).toBeUndefined();
    const gone = await deployment.tenant('ada');
    const body = { size: 1000 };
    const granted = await ask<UploadTokenData>(gone.key, 'POST', `${gateway}/v1/upload-tokens`, body);
    await deployment.keys.revoke('ada', gone.keyId);
    expect(await code(granted.data.token)).toBe('credentials_invalid');
  });

  it('are no way to get a file by its digest alone', async () => {
    const sha256 = 'b'.repeat(64);
    await deployment.stack.query(
      `WITH asset AS (INSERT INTO assets (id, tenant_id, profile, sha256, edges_sha256, size, status)
         VALUES (gen_random_uuid(), 'ada', 'default', $1, $1, 1000, 'ready') RETURNING id)
       INSERT INTO jobs (id, tenant_id, asset_id, status, stage, progress, source_complete)
         SELECT gen_random_uuid(), 'ada', id, 'completed', 'completed', 100, true FROM asset`,
      [sha256],
    );
    const { token } = await issue();
    const opened = await ask<CreateSessionData>(token, 'POST', sessions(), { ...clip, file_hash: sha256 });
    expect(opened.data.duplicate).toBe(false);
  });
});
