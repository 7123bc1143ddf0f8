import { createHash } from 'node:crypto';
import path from 'node:path';
import { DirectoryStore } from '#storage';
import { startStack, waitFor } from '#testing';
import type { Backing } from '../backing.js';
import { PRODUCTION } from '../backing.js';
import { Client, inParallel } from './client.js';
import type { Contender } from './contender.js';
import type { Payload } from './payload.js';
import { asForm, sendByTus } from './peers.js';

const PARALLEL = 4;
const SESSIONS = '/v1/upload/video/session';

export type Door = 'raw' | 'tus' | 'multipart';
type Stack = Awaited<ReturnType<typeof startStack>>;
interface Session {
  status: string;
  sha256: string | null;
}

export interface OurUploads {
  /** The same process behind each of its doors. */
  doors: Record<Door, Contender>;
  /** All at once through the raw door; resolves when every file is complete with its hash. */
  together(payloads: Payload[]): Promise<void>;
  stop(): Promise<void>;
}

/** The upload service on Postgres and Redis that are as durable as in production. */
export async function startOurs(backing: Backing, { fsync }: { fsync: boolean }): Promise<OurUploads> {
  const stack = await startStack({
    env: {
      ...PRODUCTION,
      REDIS_URL: backing.redisUrl,
      ENABLE_DEDUPLICATION: 'true',
      STORAGE_FSYNC: String(fsync),
    },
    services: { upload: 1, transcode: 0, 'segment-upload': 0, gateway: 0 },
  });
  const client = new Client(stack.urls.upload);
  const pid = stack.processes.upload[0]!.process.pid;
  const upload: Record<Door, (payload: Payload) => Promise<string>> = {
    raw: (payload) => sendRaw(client, payload, PARALLEL),
    tus: async (payload) => {
      await sendByTus('/files')(client, payload);
      return newest(stack);
    },
    multipart: (payload) => sendForms(client, payload),
  };
  const contender = (door: Door): Contender => {
    let id = '';
    return {
      name: `ours, ${door} door${fsync ? ', fsync' : ''}`,
      pid,
      roots: [pid, ...backing.pids],
      async upload(payload) {
        id = await upload[door](payload);
        await untilComplete(client, id);
      },
      async settle() {
        const sent = { sha256: await storedHash(stack, id), completeMs: await completionTook(stack, id) };
        await client.json('DELETE', `${SESSIONS}/${id}`);
        return sent;
      },
      stop: async () => undefined,
    };
  };
  return {
    doors: { raw: contender('raw'), tus: contender('tus'), multipart: contender('multipart') },
    async together(payloads) {
      const ids = await Promise.all(payloads.map((payload) => sendRaw(client, payload, 1)));
      for (const id of ids) await untilComplete(client, id);
      for (const id of ids) await client.json('DELETE', `${SESSIONS}/${id}`);
    },
    async stop() {
      client.close();
      await stack.stop();
    },
  };
}

async function sendRaw(client: Client, { bytes, chunks }: Payload, width: number): Promise<string> {
  const { data } = await client.json<{ data: { session_id: string; upload_path: string } }>(
    'POST',
    SESSIONS,
    {
      filename: 'bench.mp4',
      size: bytes.length,
    },
  );
  await inParallel(chunks, width, (chunk) =>
    client.send('PUT', `${data.upload_path}/${chunk.offset}`, {
      headers: { 'content-type': 'application/octet-stream', 'x-content-sha256': chunk.sha256 },
      body: chunk.bytes,
    }),
  );
  return data.session_id;
}

async function sendForms(client: Client, { chunks }: Payload): Promise<string> {
  const total = String(chunks.length);
  const send = async (index: number, more: Record<string, string>) => {
    const form = asForm('file', chunks[index]!.bytes, {
      chunk_index: String(index),
      total_chunks: total,
      ...more,
    });
    const { body } = await client.send('POST', '/v1/upload/video', form);
    return (JSON.parse(body.toString()) as { data: { session_id: string } }).data.session_id;
  };
  const id = await send(0, {});
  await inParallel(chunks.slice(1), PARALLEL, ({ index }) => send(index, { session_id: id }));
  return id;
}

async function untilComplete(client: Client, id: string): Promise<void> {
  await waitFor(
    async () => {
      const { data } = await client.json<{ data: Session }>('GET', `${SESSIONS}/${id}`);
      return data.status === 'completed' && data.sha256 !== null;
    },
    { what: `session ${id} to be complete with its hash`, timeoutMs: 120_000, intervalMs: 10 },
  );
}

async function newest(stack: Stack): Promise<string> {
  const [row] = await stack.query('SELECT id FROM upload_sessions ORDER BY created_at DESC LIMIT 1');
  return String(row?.id);
}

/** Both times are the database's, at the start of the transaction that committed the row. */
async function completionTook(stack: Stack, id: string): Promise<number> {
  const [row] = await stack.query(
    `SELECT EXTRACT(EPOCH FROM s.completed_at - max(c.received_at))::float8 * 1000 AS ms
     FROM upload_sessions s JOIN upload_chunks c ON c.session_id = s.id WHERE s.id = $1 GROUP BY s.id`,
    [id],
  );
  return Number(row?.ms);
}

async function storedHash(stack: Stack, id: string): Promise<string> {
  const store = new DirectoryStore(path.resolve(stack.storageDir));
  const hash = createHash('sha256');
  const rows = await stack.query(
    'SELECT storage_path AS key FROM upload_chunks WHERE session_id = $1 ORDER BY byte_offset',
    [id],
  );
  for (const { key } of rows)
    for await (const bytes of await store.get(String(key))) hash.update(bytes as Buffer);
  return hash.digest('hex');
}
