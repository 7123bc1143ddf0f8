import { createHash } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { sha256, temporaryFiles, type UploadStack } from '../support.js';
import type { Case } from './run.js';

interface ChunkRow {
  session_id: string;
  byte_offset: number;
  size: number;
  hash: string;
  storage_path: string;
}

interface SessionRow {
  id: string;
  status: string;
  filename: string;
  sha256: string | null;
  bytes_received: number;
  job_status: string;
  job_error: string | null;
  source_complete: boolean;
  asset_status: string;
  refs: number;
  asset_sha256: string | null;
  events: string[];
}

export interface Picture {
  sessions: SessionRow[];
  chunks: ChunkRow[];
  /** Keys of all stored chunks. */
  objects: string[];
}

export async function takePicture(stack: UploadStack): Promise<Picture> {
  const sessions = await stack.query(
    `SELECT s.id, s.status, s.filename, s.sha256, s.bytes_received, j.status AS job_status, j.error_code AS job_error,
       j.source_complete, a.status AS asset_status, a.refs, a.sha256 AS asset_sha256,
       ARRAY(SELECT e.type FROM progress_events e WHERE e.job_id = j.id AND e.durable ORDER BY e.seq) AS events
     FROM upload_sessions s JOIN jobs j ON j.id = s.job_id JOIN assets a ON a.id = s.asset_id`,
  );
  const chunks = await stack.query(
    'SELECT session_id, byte_offset, size, hash, storage_path FROM upload_chunks ORDER BY session_id, byte_offset',
  );
  const objects: string[] = [];
  for await (const { key } of stack.store.list('chunks/')) objects.push(key);
  return { sessions, chunks, objects } as unknown as Picture;
}

/** Objects that no row names, rows whose object is gone, and temporary files. */
export async function rubbish(stack: UploadStack): Promise<string[]> {
  const { chunks, objects } = await takePicture(stack);
  const named = new Set(chunks.map((row) => row.storage_path));
  const stored = new Set(objects);
  return [
    ...objects.filter((key) => !named.has(key)).map((key) => `no row names ${key}`),
    ...[...named].filter((key) => !stored.has(key)).map((key) => `a row names ${key}`),
    ...((await temporaryFiles(stack)) > 0 ? ['temporary files'] : []),
  ];
}

/** Exactly the file, or a clean refusal: adds to the case's problems what is neither. */
export async function verify(stack: UploadStack, picture: Picture, seen: Case): Promise<void> {
  const session = picture.sessions.find(({ id, filename, status }) =>
    seen.id === null ? filename === `${seen.plan.name}.mp4` && status === seen.status : id === seen.id,
  );
  if (!session) {
    seen.problems.push('there is no session');
    return;
  }
  const chunks = picture.chunks.filter((row) => row.session_id === session.id);
  const found =
    session.status === 'completed'
      ? await exact(stack, session, chunks, seen)
      : refused(session, chunks, seen);
  for (const [what, right] of Object.entries(found)) if (!right) seen.problems.push(`not so: ${what}`);
}

async function exact(
  stack: UploadStack,
  session: SessionRow,
  chunks: ChunkRow[],
  { plan, file, ...seen }: Case,
) {
  const parts = await Promise.all(
    chunks.map(async (row) => buffer(await stack.store.get(row.storage_path)).catch(() => Buffer.alloc(0))),
  );
  const digest = createHash('sha256');
  for (const part of parts) digest.update(part);
  const ends = chunks.map((row) => Number(row.byte_offset) + Number(row.size));
  return {
    'the client was told that it is complete': seen.status === 'completed',
    'the promise was not wrong': plan.promise !== 'wrong',
    'the rows lie one after another': chunks.every(
      (row, at) => Number(row.byte_offset) === (ends[at - 1] ?? 0),
    ),
    'the rows end where the file ends':
      ends.at(-1) === plan.size && Number(session.bytes_received) === plan.size,
    'every object has the size and hash of its row': chunks.every(
      (row, at) => parts[at]!.length === Number(row.size) && sha256(parts[at]!) === row.hash,
    ),
    'the stored bytes are the file': digest.digest('hex') === sha256(file),
    'session and asset know its digest': [session.sha256, session.asset_sha256].every(
      (hash) => hash === sha256(file),
    ),
    'the job may begin': session.source_complete && session.job_status === 'pending' && session.refs === 1,
    'it was completed once': session.events.join() === 'upload_started,upload_completed',
  };
}

function refused(session: SessionRow, chunks: ChunkRow[], { plan, status, cancelled }: Case) {
  const ended = session.status !== 'active';
  return {
    [`the client was told (${status}) how it is (${session.status})`]: status === session.status,
    'it was cancelled, or its promise was wrong': cancelled || plan.promise === 'wrong',
    'no rows': chunks.length === 0,
    'nothing counted': ended || Number(session.bytes_received) === 0,
    'the job ended with it': !ended || (session.job_status === 'failed' && session.job_error !== null),
    'the asset goes with it': !ended || (session.asset_status.startsWith('delet') && session.refs === 0),
    'it did not begin': session.events[0] === 'upload_started' && (cancelled || !session.source_complete),
    'its end was told once': session.events.filter((type) => /failed/.test(type)).length === (ended ? 1 : 0),
  };
}
