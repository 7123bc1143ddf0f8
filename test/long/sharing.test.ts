import { afterEach, describe, expect, it } from 'vitest';
import { type Stack, startStack, waitFor } from '#testing';
import { fileOf, TIMED } from '../clips/good.js';
import { MANY_SPANS, mustComplete, streamOf, upload } from '../pipeline/harness.js';
import { verifyStream } from '../verify/stream.js';

/** One encoder in each process, and a file that may be sent again; whoever is slow keeps its span, since a part that is resumed has other bytes. */
const ALONE = {
  ...MANY_SPANS,
  SPAN_CONCURRENCY: '1',
  ENABLE_DEDUPLICATION: 'false',
  // Under a rate cap x264 gives the same bytes again only with one thread (docs/operations.md).
  ENCODER_THREADS: '1',
  LEASE_SECONDS: '30',
  QUEUE_LOCK_SECONDS: '30',
};
const PATIENCE = 120_000;
const plain = TIMED.find((clip) => clip.name === 'plain')!;

let stack: Stack;
afterEach(() => stack?.stop());

/** Encodes the clip; answers with who was seen at its spans, and every segment's digest. */
async function encode(expected: number) {
  const job = await upload(stack, await fileOf(plain));
  const owners = new Set<unknown>();
  await waitFor(
    async () => {
      const running = await stack.query(
        `SELECT lease_owner FROM spans WHERE job_id = $1 AND kind = 'video' AND status = 'running'`,
        [job],
      );
      for (const { lease_owner } of running) owners.add(lease_owner);
      return owners.size >= expected;
    },
    { what: `${expected} processes at one video`, timeoutMs: 60_000, intervalMs: 20 },
  );
  const view = await mustComplete(stack, job, PATIENCE);
  // A part of a span that was given back meanwhile (its bytes had not come) goes on in its middle, with other bytes.
  const segments = await stack.query(
    `SELECT r.name || '/' || s.segment_index AS name, s.sha256 FROM segments s
     JOIN renditions r ON r.id = s.rendition_id JOIN spans n ON n.id = s.span_id
     WHERE s.job_id = $1 AND n.lease_number = 1`,
    [job],
  );
  const [spans] = await stack.query(
    `SELECT count(*)::integer AS count FROM spans WHERE job_id = $1 AND kind = 'video'`,
    [job],
  );
  return {
    view,
    digests: new Map(segments.map(({ name, sha256 }) => [name, sha256])),
    spans: Number(spans?.count),
  };
}

describe('several transcode processes', { timeout: 2 * PATIENCE }, () => {
  it('share the spans of one video, frame for frame, and what they make is to the byte what one makes alone', async () => {
    stack = await startStack({ env: ALONE, services: { transcode: 3 } });
    const three = await encode(3);
    expect(three.spans).toBeGreaterThanOrEqual(6);
    const source = await fileOf(plain);
    const { problems } = await verifyStream(streamOf(stack, three.view), {
      ...plain,
      source,
      frames: 'numbered',
    });
    expect(problems).toEqual([]);
    await stack.kill('transcode', 'SIGTERM', 2);
    const two = await encode(2);
    await stack.kill('transcode', 'SIGTERM', 1);
    const one = await encode(1);
    for (const { digests } of [two, three]) {
      const both = [...one.digests.keys()].filter((name) => digests.has(name));
      expect(both.length).toBeGreaterThan(0);
      for (const name of both) expect(digests.get(name), String(name)).toBe(one.digests.get(name));
    }
  });
});
