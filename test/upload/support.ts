import { createHash, randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { expect } from 'vitest';
import type { ChunkData, CreateSessionData, CreateSessionRequest, SessionData } from '#contracts';
import type { DataSource } from '#persistence';
import { DirectoryStore, type ObjectStore } from '#storage';
import { type Stack, startStack, waitFor } from '#testing';

export interface UploadStack extends Stack {
  store: ObjectStore;
  /** Base URL of each upload process. */
  uploads: string[];
}

/** Upload processes alone; the other services take no part in these contracts. */
export async function startUploads(count = 1, env: Record<string, string> = {}): Promise<UploadStack> {
  const stack = await startStack({
    env: { UPLOAD_MAX_CHUNK_SIZE: '4096', UPLOAD_MAX_FILE_SIZE: '100000', ...env },
    services: { upload: count, transcode: 0, 'segment-upload': 0, gateway: 0 },
  });
  const uploads = stack.processes.upload.map((process) => process.url);
  return { ...stack, store: new DirectoryStore(stack.storageDir), uploads };
}

export const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** Random bytes that begin as an MP4 does. */
export function videoBytes(size: number): Buffer {
  const bytes = randomBytes(size);
  bytes.writeUInt32BE(24, 0);
  bytes.write('ftypisom', 4, 'latin1');
  return bytes;
}

export interface Answer<T> {
  status: number;
  body: {
    success: boolean;
    data: T;
    code?: string;
    detail?: string;
    message?: string;
    details?: Record<string, unknown>;
  };
}

export async function call<T>(
  url: string,
  method: string,
  path: string,
  init: RequestInit = {},
): Promise<Answer<T>> {
  const response = await fetch(`${url}/v1/upload/video${path}`, { method, ...init });
  return { status: response.status, body: (await response.json()) as Answer<T>['body'] };
}

export function create(
  url: string,
  request: Partial<CreateSessionRequest>,
): Promise<Answer<CreateSessionData>> {
  const body = JSON.stringify({ filename: 'clip.mp4', size: 1000, ...request });
  return call(url, 'POST', '/session', { body, headers: { 'content-type': 'application/json' } });
}

export async function created(
  url: string,
  request: Partial<CreateSessionRequest>,
): Promise<CreateSessionData> {
  const { status, body } = await create(url, request);
  expect(status, JSON.stringify(body)).toBe(201);
  return body.data;
}

export function put(
  url: string,
  id: string,
  offset: number | string,
  bytes: Uint8Array,
  headers: Record<string, string> = {},
): Promise<Answer<ChunkData>> {
  return call(url, 'PUT', `/session/${id}/bytes/${offset}`, {
    body: new Uint8Array(bytes),
    headers: { 'content-type': 'application/octet-stream', 'x-content-sha256': sha256(bytes), ...headers },
  });
}

export const look = (url: string, id: string) => call<SessionData>(url, 'GET', `/session/${id}`);
export const complete = (url: string, id: string) =>
  call<SessionData>(url, 'POST', `/session/${id}/complete`);
export const cancel = (url: string, id: string) => call<SessionData>(url, 'DELETE', `/session/${id}`);

export interface FormParts {
  file?: { bytes: Uint8Array; name?: string; field?: string };
  before?: Record<string, string>;
  after?: Record<string, string>;
}

export function post<T = SessionData & { upload_id: string }>(
  url: string,
  { file, before, after }: FormParts,
): Promise<Answer<T>> {
  const form = new FormData();
  for (const [name, value] of Object.entries(before ?? {})) form.append(name, value);
  if (file)
    form.append(file.field ?? 'file', new Blob([new Uint8Array(file.bytes)]), file.name ?? 'clip.mp4');
  for (const [name, value] of Object.entries(after ?? {})) form.append(name, value);
  return call<T>(url, 'POST', '', { body: form });
}

/** The objects of one session, or of all. */
export async function objects({ store }: UploadStack, sessionId?: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const object of store.list(sessionId ? `chunks/${sessionId}/` : '')) keys.push(object.key);
  return keys;
}

export const rowsOf = (stack: UploadStack, sessionId: string) =>
  stack.query('SELECT * FROM upload_chunks WHERE session_id = $1 ORDER BY byte_offset', [sessionId]);

/** The file as its rows name it: what transcode will read. */
export async function assembled(stack: UploadStack, sessionId: string): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (const row of await rowsOf(stack, sessionId)) {
    parts.push(await buffer(await stack.store.get(String(row.storage_path))));
  }
  return Buffer.concat(parts);
}

export async function jobOf(stack: UploadStack, sessionId: string): Promise<Record<string, unknown>> {
  const rows = await stack.query(
    `SELECT j.*, a.status AS asset_status, a.refs, a.sha256 AS asset_sha256 FROM upload_sessions s
     JOIN jobs j ON j.id = s.job_id JOIN assets a ON a.id = s.asset_id WHERE s.id = $1`,
    [sessionId],
  );
  return rows[0]!;
}

export async function eventsOf(stack: UploadStack, sessionId: string): Promise<string[]> {
  const { id } = await jobOf(stack, sessionId);
  const rows = await stack.query(
    'SELECT type FROM progress_events WHERE job_id = $1 AND durable ORDER BY seq',
    [id],
  );
  return rows.map((row) => String(row.type));
}

/** What the other services would do: the job of a complete upload has its result. */
export async function publish(stack: UploadStack, sessionId: string): Promise<void> {
  const { id, asset_id } = await jobOf(stack, sessionId);
  await stack.query(
    `UPDATE jobs SET status = 'completed', stage = 'completed', progress = 100, completed_at = now(), result = '{"ok":1}' WHERE id = $1`,
    [id],
  );
  await stack.query(
    `UPDATE assets SET status = 'ready', result = '{"ok":1}', held_since = now() WHERE id = $1`,
    [asset_id],
  );
}

/** Takes the lock of a row until the answer is called. */
export async function hold(
  database: DataSource,
  table: 'upload_sessions' | 'jobs',
  id: string,
): Promise<() => Promise<void>> {
  const runner = database.createQueryRunner();
  await runner.startTransaction();
  await runner.query(`SELECT 1 FROM ${table} WHERE id = $1 FOR UPDATE`, [id]);
  return async () => {
    await runner.rollbackTransaction();
    await runner.release();
  };
}

/** How many statements wait for a lock. */
export async function waitingForLocks(stack: UploadStack): Promise<number> {
  const rows = await stack.query(
    `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
  );
  return rows.length;
}

/** Chunks that are being written now. */
export async function temporaryFiles({ storageDir }: UploadStack): Promise<number> {
  const names = await readdir(join(storageDir, '.tmp'));
  return names.filter((name) => !name.startsWith('check-')).length;
}

/** Neither a row nor an object of these bytes remains. */
export async function expectNothingLeft(stack: UploadStack, sessionId: string): Promise<void> {
  expect(await objects(stack, sessionId)).toEqual([]);
  expect(await rowsOf(stack, sessionId)).toEqual([]);
}

/** What a refusal is recognised by. */
export const codeOf = ({ status, body }: { status: number; body: { code?: string } }) => [status, body.code];

/** A session with one chunk of two, whose time has passed. */
export async function overdue(stack: UploadStack, url = stack.uploads[0]!): Promise<string> {
  const { session_id: id } = await created(url, { size: 2000 });
  await put(url, id, 0, videoBytes(1000));
  await stack.query(`UPDATE upload_sessions SET expires_at = now() - interval '1 second' WHERE id = $1`, [
    id,
  ]);
  return id;
}

/** Ended once, and nothing of it is left. */
export async function expectExpired(stack: UploadStack, id: string): Promise<void> {
  expect(await jobOf(stack, id)).toMatchObject({
    status: 'failed',
    error_code: 'session_expired',
    asset_status: 'deleting',
    refs: 0,
  });
  expect(await eventsOf(stack, id)).toEqual(['upload_started', 'session_expired']);
  await waitFor(async () => (await objects(stack, id)).length === 0, { what: 'the objects to go' });
  await expectNothingLeft(stack, id);
}
