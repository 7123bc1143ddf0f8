import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { waitFor } from '#testing';
import type { BenchStack } from './index.js';
import { send, untilCompleted, untilStored } from './job.js';

interface Held {
  id: string;
  lease: number;
  renditions: number;
}

const BEFORE = 6;
const LONGEST_MS = 120_000;

/**
 * SIGKILL of a process that encodes, which is started again: seconds until each of its spans runs again, and the
 * segments that it had in hand, begun ones included, and that were made again: of the worst span, for each rendition.
 */
export async function killEncoder(
  stack: BenchStack,
  file: string,
): Promise<{ seconds: number; segments: number }> {
  const { job } = await send(stack, file);
  await untilStored(stack, job, BEFORE);
  const { index, spans } = await waitFor(async () => busiest(stack), {
    what: 'a process to encode',
    timeoutMs: LONGEST_MS,
    intervalMs: 50,
  });
  // Nothing moves between the count and the death.
  await stack.kill('transcode', 'SIGSTOP', index);
  const inHand = await scratchOf(stack, index);
  await stack.kill('transcode', 'SIGKILL', index);
  const killed = performance.now();
  // As whoever supervises it would: the other one's places may all be taken.
  const restarted = stack.restart('transcode', index);
  await waitFor(async () => (await takenAgain(stack, spans)) === spans.length, {
    what: 'its spans to run again',
    timeoutMs: LONGEST_MS,
    intervalMs: 20,
  });
  const seconds = (performance.now() - killed) / 1000;
  await restarted;
  await untilCompleted(stack, job);
  const counts = await Promise.all(
    spans.map((span) => madeAgain(stack, span, inHand.get(`${span.id}-${span.lease}`) ?? [])),
  );
  return { seconds, segments: Math.max(...counts) };
}

/** The process that holds most spans, if any holds one that encodes video. */
async function busiest(stack: BenchStack): Promise<{ index: number; spans: Held[] } | null> {
  const rows = await stack.query(
    `SELECT s.id, s.lease_number AS lease, cardinality(s.renditions) AS renditions, s.kind, w.address
     FROM spans s JOIN workers w ON w.id = s.lease_owner WHERE s.status = 'running' AND s.lease_expires_at > now()`,
  );
  const held = stack.processes.transcode.map(({ url }, index) => ({
    index,
    rows: rows.filter(({ address }) => address === url),
  }));
  const [most] = held.toSorted((a, b) => b.rows.length - a.rows.length);
  if (!most?.rows.some(({ kind }) => kind === 'video')) return null;
  return { index: most.index, spans: most.rows as unknown as Held[] };
}

/** Names of files, by span and lease: `720p-7` is a segment, whole or begun. */
async function scratchOf(stack: BenchStack, index: number): Promise<Map<string, string[]>> {
  const dir = stack.processes.transcode[index]?.scratchDir ?? '';
  const files = await readdir(dir, { recursive: true });
  const found = new Map<string, string[]>();
  for (const file of files) {
    if (!/-\d+$/.test(path.basename(file)) || file.split(path.sep).length < 3) continue;
    const span = path.basename(path.dirname(file));
    found.set(span, [...(found.get(span) ?? []), path.basename(file)]);
  }
  return found;
}

async function takenAgain(stack: BenchStack, spans: Held[]): Promise<number> {
  const rows = await stack.query(
    `SELECT 1 FROM spans s JOIN unnest($1::uuid[], $2::integer[]) AS held(id, lease) USING (id)
     WHERE s.lease_number > held.lease OR s.status = 'done'`,
    [spans.map(({ id }) => id), spans.map(({ lease }) => lease)],
  );
  return rows.length;
}

async function madeAgain(stack: BenchStack, span: Held, inHand: string[]): Promise<number> {
  const rows = await stack.query(
    `SELECT r.name || '-' || g.segment_index AS file FROM segments g JOIN renditions r ON r.id = g.rendition_id
     WHERE g.span_id = $1 AND g.lease_number > $2`,
    [span.id, span.lease],
  );
  const again = rows.filter(({ file }) => inHand.includes(String(file)));
  return again.length / span.renditions;
}
