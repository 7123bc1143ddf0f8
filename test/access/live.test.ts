import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { Fact } from '#contracts';
import { FactPublisher, recordFact } from '#events';
import { waitFor } from '#testing';
import { SseReader } from '../gateway/sse.js';
import { Watcher } from '../gateway/watcher.js';
import { bearer, type Deployment, startDeployment, type Tenant } from './tenants.js';

let deployment: Deployment;
let publisher: FactPublisher;
let ada: Tenant;
let bob: Tenant;
let gateway: string;
const closing: (() => void)[] = [];

beforeAll(async () => {
  deployment = await startDeployment({ services: { upload: 0, transcode: 0, 'segment-upload': 0 } });
  publisher = new FactPublisher(deployment.stack.redisUrl, 'test', deployment.database);
  ada = await deployment.tenant('ada');
  bob = await deployment.tenant('bob');
  gateway = deployment.stack.urls.gateway;
});
afterEach(() => {
  for (const close of closing.splice(0)) close();
});
afterAll(async () => {
  publisher?.close();
  await deployment?.stop();
});

interface Upload {
  jobId: string;
  sessionId: string;
}

async function insert(tenant: string, userId: string | null): Promise<Upload> {
  const [jobId, sessionId, assetId] = [randomUUID(), randomUUID(), randomUUID()];
  const { query } = deployment.stack;
  await query(`INSERT INTO assets (id, tenant_id, profile) VALUES ($1, $2, 'default')`, [assetId, tenant]);
  await query('INSERT INTO jobs (id, tenant_id, asset_id) VALUES ($1, $2, $3)', [jobId, tenant, assetId]);
  await query(
    `INSERT INTO upload_sessions (id, tenant_id, user_id, job_id, asset_id, filename, expires_at)
     VALUES ($1, $2, $3, $4, $5, 'clip.mp4', now() + interval '1 day')`,
    [sessionId, tenant, userId, jobId, assetId],
  );
  return { jobId, sessionId };
}

const tell = async ({ jobId }: Upload, message: string, durable = true) => {
  const input = { type: 'processing_progress' as const, durable, message };
  await publisher.publish(
    await deployment.database.transaction((manager) => recordFact(manager, jobId, input)),
  );
};

const tokenOf = ({ sessionId }: Upload, userId: string | null) =>
  deployment.tokens.issue(
    { tenantId: 'ada', sessionId, size: 10, userId, origin: null, keyId: null },
    new Date(Date.now() + 60_000),
  );

async function watch(credential: string): Promise<Watcher> {
  const watcher = await Watcher.connect(gateway, credential);
  closing.push(() => watcher.close());
  return watcher;
}

function read(path: string, credential: string): SseReader {
  const reader = new SseReader(gateway + path, { headers: bearer(credential) });
  closing.push(() => reader.cut());
  return reader;
}

const heardBy = (reader: SseReader) =>
  reader.of('processing_progress').map(({ data }) => (data as Fact).message);

it('mine is the tenant’s for a key and the person’s for a token, on both transports', async () => {
  const [anna, otto, strange] = [
    await insert('ada', 'anna'),
    await insert('ada', 'otto'),
    await insert('bob', 'anna'),
  ];
  const annas = await tokenOf(anna, 'anna');
  const sockets = [await watch(ada.key), await watch(bob.key), await watch(annas)];
  for (const socket of sockets) expect(await socket.subscribe({ mine: true })).toMatchObject({ ok: true });
  const readers = [ada.key, bob.key, annas].map((credential) => read('/events', credential));
  for (const reader of readers) await reader.hears('ready');
  const later = await insert('ada', 'anna');
  await tell(anna, 'anna’s');
  await tell(otto, 'otto’s');
  await tell(strange, 'bob’s');
  await tell(later, 'anna’s later one');
  await tell(later, 'how far it is', false);
  for (const [at, expected] of [
    ['anna’s', 'otto’s', 'anna’s later one', 'how far it is'],
    ['bob’s'],
    ['anna’s', 'anna’s later one', 'how far it is'],
  ].entries()) {
    const [reader, socket] = [readers[at], sockets[at]] as [SseReader, Watcher];
    await reader.hears('processing_progress', expected.length);
    await waitFor(() => socket.facts.length >= expected.length, { what: 'the socket to hear all' });
    expect(heardBy(reader)).toEqual(expected);
    expect(socket.facts.map(({ message }) => message)).toEqual(expected);
  }
});

it('nobody follows what is not theirs, by whatever name', async () => {
  const [upload, other] = [await insert('ada', 'anna'), await insert('ada', 'otto')];
  const token = await tokenOf(other, 'otto');
  for (const credential of [bob.key, token]) {
    for (const path of [
      `/jobs/${upload.jobId}/stream`,
      `/events?job_id=${upload.jobId}`,
      `/events?session_id=${upload.sessionId}`,
    ]) {
      expect((await fetch(gateway + path, { headers: bearer(credential) })).status, path).toBe(404);
    }
    const socket = await watch(credential);
    expect(await socket.subscribe({ job_id: upload.jobId })).toMatchObject({ code: 'job_not_found' });
    expect(await socket.subscribe({ session_id: upload.sessionId })).toMatchObject({
      code: 'session_not_found',
    });
  }
  expect((await fetch(`${gateway}/events`)).status).toBe(401);
  const nameless = await watch(await tokenOf(upload, null));
  expect(await nameless.subscribe({ mine: true })).toMatchObject({ code: 'scope_missing' });
  expect(await nameless.subscribe({ session_id: upload.sessionId })).toMatchObject({ ok: true });
});

it('a browser’s EventSource brings its token in the address; the stream ends with the key that it came from', async () => {
  const upload = await insert('ada', 'anna');
  const short = await deployment.tenant('ada', ['jobs:read']);
  const reader = read(`/jobs/${upload.jobId}/stream`, short.key);
  const byAddress = new SseReader(`${gateway}/events?access_token=${await tokenOf(upload, 'anna')}`);
  closing.push(() => byAddress.cut());
  await Promise.all([reader.hears('status'), byAddress.hears('ready')]);
  await deployment.stack.query('UPDATE api_keys SET revoked_at = now() WHERE id = $1', [short.keyId]);
  await waitFor(() => reader.ended, { what: 'the stream to end' });
  expect(byAddress.ended).toBe(false);
});
