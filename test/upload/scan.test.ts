import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { openDataSource } from '#persistence';
import { readMetrics, type Stack, startStack, testPort, waitFor } from '#testing';
import { scanStream } from '../../apps/upload/src/scan/clamd.js';
import { fileOf, GOOD } from '../clips/good.js';
import { isLongRun } from '../long-run.js';
import { film } from '../overlap/films.js';
import { HeldUpload } from '../overlap/held-upload.js';
import { untilStored } from '../overlap/scene.js';
import { jobEnd, jobOf, mustComplete, upload, waitUntilClean } from '../pipeline/harness.js';
import { CLEAN, ClamdStandIn, EICAR, type Mood } from './clamd-stand-in.js';
import {
  create,
  created,
  hold,
  look,
  put,
  jobOf as rowOf,
  sha256,
  startUploads,
  videoBytes,
  waitingForLocks,
} from './support.js';

describe('S3-09 a conversation with the scanner', () => {
  const options = { maxBytes: 1_000_000, timeoutMs: 300, signal: new AbortController().signal };
  const bytes = async function* (count: number, size = 100_000) {
    for (let i = 0; i < count; i++) yield Buffer.alloc(size, i);
  };
  let clamd: ClamdStandIn;
  beforeAll(async () => {
    clamd = await new ClamdStandIn().start();
  });
  afterAll(() => clamd.stop());
  const scan = (mood: Mood, source = bytes(3), port = clamd.port) => {
    clamd.mood = mood;
    return scanStream({ host: '127.0.0.1', port }, source, options);
  };

  it('sends all bytes in order and learns that they are clean', async () => {
    expect(await scan(CLEAN)).toEqual({ clean: true });
    expect(clamd.received.at(-1)).toEqual(Buffer.concat([0, 1, 2].map((i) => Buffer.alloc(100_000, i))));
  });

  it('sends no more than it may', async () => {
    expect(await scan(CLEAN, bytes(20))).toEqual({ clean: true });
    expect(clamd.received.at(-1)).toHaveLength(options.maxBytes);
  });

  it('learns the name of what was found, without what does not belong into a log', async () => {
    expect(await scan({ answer: 'stream: Eicar\u001b[31m<b>-Test FOUND' })).toEqual({
      clean: false,
      signature: 'Eicar31mb-Test',
    });
  });

  it.each<[string, Mood]>([
    ['an error', { answer: 'INSTREAM: Can not allocate memory ERROR' }],
    ['its size limit', { answer: 'INSTREAM size limit exceeded. ERROR' }],
    ['nonsense', { answer: 'stream: OKAY' }],
    ['text without end', { answer: 'x'.repeat(10_000) }],
    ['nothing', 'silence'],
    ['a hang-up', 'close'],
  ])('takes %s for no verdict', async (_, mood) => {
    await expect(scan(mood)).rejects.toMatchObject({ name: 'ScannerError' });
  });

  it('takes a scanner that is away for no verdict', async () => {
    await expect(scan(CLEAN, bytes(1), await testPort())).rejects.toMatchObject({
      name: 'ScannerError',
    });
  });

  it('reads no further than the scanner does', async () => {
    const deaf = await new ClamdStandIn({ reads: false }).start();
    let read = 0;
    const source = async function* () {
      for await (const part of bytes(2000, 65_536)) {
        read += part.length;
        yield part;
      }
    };
    const conversation = scanStream({ host: '127.0.0.1', port: deaf.port }, source(), {
      ...options,
      maxBytes: 2 ** 30,
    });
    await expect(conversation).rejects.toMatchObject({ name: 'ScannerError' });
    await deaf.stop();
    // Of 125 MiB: what two sockets and a stream hold.
    expect(read).toBeLessThan(16 * 2 ** 20);
  });
});

const clip = async () => {
  const found = GOOD.find((good) => good.name === 'one-frame');
  if (!found) throw new Error('there is no such clip');
  return fileOf(found);
};

/** Not deduplicated, because the same clip is sent again and again. */
const startScanned = (mode: string, port: number, env: Record<string, string> = {}) =>
  startStack({
    env: {
      ...{ SCAN_MODE: mode, CLAMD_PORT: String(port), ENABLE_DEDUPLICATION: 'false' },
      ...{ SEGMENT_SECONDS: '1', SPAN_SECONDS: '2', ENCODER_PRESET: 'ultrafast' },
      ...env,
    },
  });

async function send(stack: Stack): Promise<{ session: string; job: string }> {
  const ids = { session: '', job: '' };
  await upload(stack, await clip(), (opened) => Object.assign(ids, opened));
  return ids;
}

const scanOf = async (stack: Stack, job: string) =>
  (await stack.query('SELECT scan FROM jobs WHERE id = $1', [job]))[0]?.scan;

const isPlanned = async (stack: Stack, job: string) =>
  (await stack.query('SELECT 1 FROM jobs WHERE id = $1 AND plan IS NOT NULL', [job])).length > 0;

describe('S3-09 SCAN_MODE=before', () => {
  let stack: Stack;
  let clamd: ClamdStandIn;
  beforeAll(async () => {
    const port = await testPort();
    stack = await startScanned('before', port);
    clamd = new ClamdStandIn({ port });
  });
  afterAll(async () => {
    await stack?.stop();
    await clamd?.stop();
  });

  it('a file waits for a scanner that is away, and is worked on when it is back', async () => {
    const { job } = await send(stack);
    await waitFor(async () => (await stack.logs('upload')).includes('could not be scanned'), {
      what: 'a scan to fail',
    });
    expect(await scanOf(stack, job)).toBe('pending');
    expect(await isPlanned(stack, job)).toBe(false);
    const { latest_events } = await jobOf(stack, job);
    expect(latest_events.map(({ message }) => message).join()).toContain('virus scanner');
    await clamd.start();
    await mustComplete(stack, job);
    expect(await scanOf(stack, job)).toBe('clean');
    const counted = await readMetrics(stack.urls.upload);
    expect(counted('sluice_scans_total', { result: 'no_verdict' })).toBeGreaterThan(0);
    expect(counted('sluice_scans_total', { result: 'clean' })).toBe(1);
    expect(counted('sluice_scan_seconds_count')).toBe(1);
    expect(clamd.received.at(-1)).toEqual(await readFile(await clip()));
  });

  it('a file with a virus fails with its name, and nothing of it is left', async () => {
    clamd.mood = EICAR;
    const ids = await send(stack);
    expect(await jobEnd(stack, ids.job)).toMatchObject({
      status: 'failed',
      error_code: 'malware_found',
      error_message: expect.stringContaining('Eicar-Test-Signature'),
    });
    const { body } = await look(stack.urls.upload, ids.session);
    expect(body.data).toMatchObject({ status: 'failed', error_code: 'malware_found' });
    expect(await isPlanned(stack, ids.job)).toBe(false);
    const counted = await readMetrics(stack.urls.upload);
    expect(counted('sluice_scans_total', { result: 'malware' })).toBe(1);
    await waitUntilClean(stack, ids);
  });

  it('nothing is planned while a file arrives, whatever is there of it', async () => {
    clamd.mood = 'silence';
    const before = clamd.conversations;
    const held = await HeldUpload.open(stack, (await film('longer')).file, { order: 'ends-first' });
    await held.sendTo(23 / 24);
    expect(await scanOf(stack, held.job)).toBe('pending');
    await held.finish();
    await waitFor(() => clamd.conversations > before, { what: 'the scan to begin' });
    expect(await isPlanned(stack, held.job)).toBe(false);
    clamd.release(CLEAN);
    await mustComplete(stack, held.job);
  });

  it.runIf(isLongRun)('a scan that died with its process is made again', async () => {
    clamd.mood = 'silence';
    const before = clamd.conversations;
    const { job } = await send(stack);
    await waitFor(() => clamd.conversations > before, { what: 'the scan to begin' });
    await stack.kill('upload');
    await stack.restart('upload');
    await waitFor(() => clamd.conversations > before + 1, { what: 'the scan to begin anew' });
    expect(await isPlanned(stack, job)).toBe(false);
    clamd.release(CLEAN);
    await mustComplete(stack, job);
  });
});

describe('S3-09 SCAN_MODE=quarantine', () => {
  let stack: Stack;
  let clamd: ClamdStandIn;
  beforeAll(async () => {
    clamd = await new ClamdStandIn().start();
    stack = await startScanned('quarantine', clamd.port, { SCAN_GIVE_UP_SECONDS: '4' });
  });
  afterAll(async () => {
    await stack?.stop();
    await clamd?.stop();
  });
  const encoded = (job: string) =>
    waitFor(
      async () => {
        const open = await stack.query(`SELECT 1 FROM spans WHERE job_id = $1 AND status <> 'done'`, [job]);
        return (await isPlanned(stack, job)) && open.length === 0;
      },
      { what: 'the encode to end' },
    );
  const status = async (path: string) => (await fetch(stack.urls.gateway + path)).status;

  it('a file is encoded meanwhile, and nothing of it can be had before the verdict', async () => {
    clamd.mood = 'silence';
    const { job } = await send(stack);
    await encoded(job);
    // Recorded by another service, which may be behind the spans.
    const segment = await waitFor(
      async () => (await stack.query('SELECT storage_path FROM segments WHERE job_id = $1', [job]))[0],
      { what: 'a segment to be stored' },
    );
    const key = String(segment.storage_path);
    const asset = key.split('/')[1];
    const view = await jobOf(stack, job);
    expect(view).toMatchObject({ status: 'processing', playback: { early: null, hls: null, dash: null } });
    for (const path of [`/${key}`, `/media/${asset}/early.m3u8`, `/media/${asset}/master.m3u8`])
      expect(await status(path), path).toBe(404);
    clamd.release(CLEAN);
    await mustComplete(stack, job);
    await waitFor(async () => (await status(`/${key}`)) === 200, { what: 'the segment to be served' });
  });

  it.runIf(isLongRun)('what is encoded while its file arrives cannot be had before the verdict', async () => {
    clamd.mood = 'silence';
    const held = await HeldUpload.open(stack, (await film('longer')).file, { order: 'in-order' });
    await held.sendTo(0.9);
    await untilStored(stack, held.job);
    const [stored] = await stack.query(
      'SELECT storage_path AS key, asset_id AS asset FROM segments g JOIN renditions r ON r.id = g.rendition_id WHERE r.job_id = $1',
      [held.job],
    );
    const expectHidden = async () => {
      expect((await jobOf(stack, held.job)).playback).toMatchObject({ early: null, hls: null, dash: null });
      for (const path of [`/${stored?.key}`, `/media/${stored?.asset}/early.m3u8`])
        expect(await status(path), path).toBe(404);
    };
    await expectHidden();
    await held.finish();
    await encoded(held.job);
    await expectHidden();
    clamd.release(EICAR);
    expect(await jobEnd(stack, held.job)).toMatchObject({ error_code: 'malware_found' });
    await waitUntilClean(stack, held);
  });

  it('a scanner that gives no verdict in time lets nothing through', async () => {
    clamd.mood = { answer: 'INSTREAM size limit exceeded. ERROR' };
    const ids = await send(stack);
    expect(await jobEnd(stack, ids.job)).toMatchObject({
      status: 'failed',
      error_code: 'scan_unavailable',
      playback: { early: null, hls: null, dash: null },
    });
    expect(clamd.conversations).toBeGreaterThan(2);
    const counted = await readMetrics(stack.urls.upload);
    expect(counted('sluice_scans_total', { result: 'given_up' })).toBe(1);
    await waitUntilClean(stack, ids);
  });
});

it('S3-08 who joins a file in the moment it is refused is refused with it', async () => {
  const clamd = await new ClamdStandIn().start();
  clamd.mood = 'silence';
  const stack = await startUploads(1, { SCAN_MODE: 'before', CLAMD_PORT: String(clamd.port) });
  const database = await openDataSource({ databaseUrl: stack.databaseUrl, poolSize: 2, name: 'test' });
  try {
    const url = stack.uploads[0]!;
    const file = videoBytes(3000);
    const { session_id: first, job_id: job } = await created(url, { size: file.length });
    await put(url, first, 0, file);
    await waitFor(() => clamd.conversations === 1, { what: 'the scan to begin' });
    const waiting = (count: number) =>
      waitFor(async () => (await waitingForLocks(stack)) >= count, { what: `${count} to wait for the job` });
    // The refusal reads whose sessions there are while the one that joins has not committed its own.
    const release = await hold(database, 'jobs', job);
    const joining = create(url, { size: file.length, file_hash: sha256(file) });
    await waiting(1);
    clamd.release(EICAR);
    await waiting(2);
    await release();
    const second = (await joining).body.data;
    expect(second).toMatchObject({ duplicate: true, status: 'completed' });
    for (const id of [first, second.session_id]) {
      await waitFor(async () => (await rowOf(stack, id)).status === 'failed', { what: 'the job to fail' });
      expect(await rowOf(stack, id)).toMatchObject({ error_code: 'malware_found', asset_status: 'deleting' });
      expect((await look(url, id)).body.data).toMatchObject({
        ...{ status: 'failed', error_code: 'malware_found' },
      });
    }
  } finally {
    await database.destroy();
    await stack.stop();
    await clamd.stop();
  }
});
