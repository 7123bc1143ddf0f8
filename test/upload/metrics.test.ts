import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readMetrics, waitFor } from '#testing';
import {
  cancel,
  complete,
  create,
  created,
  jobOf,
  overdue,
  publish,
  put,
  sha256,
  startUploads,
  type UploadStack,
  videoBytes,
} from './support.js';

let stack: UploadStack;
let url: string;

beforeAll(async () => {
  stack = await startUploads(1, { SWEEP_INTERVAL_SECONDS: '0.3' });
  url = stack.uploads[0]!;
});
afterAll(() => stack?.stop());

/** Runs some work and answers with how much each metric has grown. */
async function growth(work: () => Promise<unknown>) {
  const before = await readMetrics(url);
  await work();
  const after = await readMetrics(url);
  return (name: string, labels?: Record<string, string>) => after(name, labels) - before(name, labels);
}

const uploaded = async (bytes = videoBytes(1000)) => {
  const { session_id: id } = await created(url, { size: bytes.length });
  expect((await put(url, id, 0, bytes)).body.data.status).toBe('completed');
  return id;
};

describe('S3-14 /metrics', () => {
  it('counts uploads, their bytes, chunks and time', async () => {
    const grown = await growth(async () => {
      const bytes = videoBytes(1000);
      const id = await uploaded(bytes);
      await put(url, id, 0, bytes);
      await complete(url, id);
    });
    expect(grown('sluice_uploads_started_total')).toBe(1);
    expect(grown('sluice_uploads_total', { outcome: 'completed' })).toBe(1);
    expect(grown('sluice_upload_seconds_count')).toBe(1);
    expect(grown('sluice_upload_bytes_total')).toBe(1000);
    expect(grown('sluice_upload_chunks_total', { result: 'stored' })).toBe(1);
    expect(grown('sluice_upload_chunks_total', { result: 'known' })).toBe(1);
  });

  it('counts what went wrong: refused chunks, refused content, cancelled and expired sessions', async () => {
    const grown = await growth(async () => {
      const { session_id: id } = await created(url, {});
      expect((await put(url, id, 0, videoBytes(1000), { 'x-content-sha256': '0'.repeat(64) })).status).toBe(
        422,
      );
      expect((await put(url, id, 0, Buffer.alloc(1000, 'text '))).status).toBe(415);
      await cancel(url, (await created(url, {})).session_id);
      await cancel(url, await uploaded());
      const swept = async () => (await readMetrics(url))('sluice_sessions_swept_total');
      const before = await swept();
      await overdue(stack);
      await waitFor(async () => (await swept()) > before, { what: 'the sweep' });
    });
    expect(grown('sluice_upload_chunks_total', { result: 'refused' })).toBe(2);
    expect(grown('sluice_uploads_total', { outcome: 'failed' })).toBe(1);
    expect(grown('sluice_uploads_total', { outcome: 'cancelled' })).toBe(1);
    expect(grown('sluice_uploads_total', { outcome: 'completed' })).toBe(1);
    expect(grown('sluice_uploads_total', { outcome: 'expired' })).toBe(1);
    expect(grown('sluice_sessions_swept_total', { result: 'expired' })).toBe(1);
  });

  it('counts what dedup has spared, and where it was found', async () => {
    const bytes = videoBytes(1000);
    const id = await uploaded(bytes);
    // What it waits for is at work, and what was published is ready.
    const atWork = await growth(() => uploaded(bytes));
    await publish(stack, id);
    const ready = await growth(() => uploaded(bytes));
    for (const grown of [atWork, ready]) {
      expect(grown('sluice_dedup_hits_total', { where: 'completion' })).toBe(1);
      expect(grown('sluice_dedup_hits_total', { where: 'creation' })).toBe(0);
      expect(grown('sluice_uploads_total', { outcome: 'completed' })).toBe(1);
    }
    const promised = await growth(() => created(url, { file_hash: sha256(bytes) }));
    expect(promised('sluice_dedup_hits_total', { where: 'creation' })).toBe(1);
    expect(promised('sluice_uploads_total', { outcome: 'duplicate' })).toBe(1);
  });

  it('has the figures of the process, and every counter before its first event', async () => {
    const now = await readMetrics(url);
    expect(now('process_resident_memory_bytes')).toBeGreaterThan(1e6);
    const text = await (await fetch(`${url}/metrics`)).text();
    expect(text).toContain('sluice_upload_chunks_total{result="no_space"} 0');
  });

  it('is told to those who call the process by its address, not by a name', async () => {
    const { port } = new URL(url);
    const statusFor = (host: string) =>
      new Promise<number>((resolve, reject) => {
        request({ host: '127.0.0.1', port, path: '/metrics', headers: { host } }, (response) => {
          response.resume();
          resolve(response.statusCode ?? 0);
        })
          .on('error', reject)
          .end();
      });
    expect(await statusFor(`10.1.2.3:${port}`)).toBe(200);
    expect(await statusFor(`[::1]:${port}`)).toBe(200);
    expect(await statusFor('video.example.com')).toBe(404);
    expect(await statusFor(`127.0.0.1.example.com:${port}`)).toBe(404);
  });
});

describe('S2-06 the log', () => {
  const lines = async () => (await stack.logs('upload')).split('\n').filter((line) => line !== '');
  const spoken = async (message: string, filename: string) =>
    waitFor(
      async () =>
        (await lines())
          .map((line) => JSON.parse(line) as Record<string, unknown>)
          .find((entry) => entry.msg === message && entry.filename === filename),
      { what: `${message}: ${filename}` },
    );

  it('says of a hostile name what it was, and nothing that the name wants it to say', async () => {
    const hostile = 'a\n{"level":"fatal"}\r\u001b[31m\u202e\u2028\u0000gnp.mp4';
    expect((await create(url, { filename: hostile })).status).toBe(400);
    expect(await spoken('upload refused', 'a?{"level":"fatal"}??[31m???gnp.mp4')).toMatchObject({
      level: 'info',
      code: 'invalid_filename',
    });
    for (const line of await lines()) {
      expect(() => JSON.parse(line)).not.toThrow();
      expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
    }
  });

  it('is cut to what fits in a line, also where the name was taken', async () => {
    const { session_id: id } = await created(url, { filename: `${'x'.repeat(200)}.mp4` });
    const said = await spoken('upload opened', `${'x'.repeat(77)}...`);
    expect(said).toMatchObject({ session_id: id, size: 1000, level: 'info' });
    await cancel(url, id);
    expect(await spoken('upload cancelled', `${'x'.repeat(77)}...`)).toMatchObject({ code: 'cancelled' });
  });

  it('has the ids, the size and the time of an upload', async () => {
    const id = await uploaded();
    const entry = await waitFor(
      async () =>
        (await lines())
          .map((line) => JSON.parse(line) as Record<string, unknown>)
          .find((said) => said.msg === 'upload completed' && said.session_id === id),
      { what: 'the line' },
    );
    expect(entry).toMatchObject({
      service: 'upload',
      filename: 'clip.mp4',
      size: 1000,
      bytes_received: 1000,
    });
    expect(entry.seconds).toBeGreaterThanOrEqual(0);
    expect(entry.job_id).toBe((await jobOf(stack, id)).id);
  });
});
