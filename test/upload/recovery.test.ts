import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FACTS_STREAM } from '#contracts';
import { createRedis } from '#queue';
import { waitFor } from '#testing';
import {
  codeOf,
  complete,
  created,
  eventsOf,
  expectExpired,
  expectNothingLeft,
  look,
  overdue,
  put,
  sha256,
  startUploads,
  temporaryFiles,
  type UploadStack,
  videoBytes,
} from './support.js';

let stack: UploadStack;
let url: string;

beforeAll(async () => {
  stack = await startUploads();
  url = stack.uploads[0]!;
});
afterAll(() => stack?.stop());

describe('killed uploads', () => {
  it('in the middle of a chunk have confirmed nothing, and the client sends it again', async () => {
    const file = videoBytes(4000);
    const { session_id: id } = await created(url, { size: 4000 });
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname).on('error', () => undefined);
    socket.write(
      `PUT /v1/upload/video/session/${id}/bytes/0 HTTP/1.1\r\nHost: ${hostname}\r\nContent-Length: 4000\r\n` +
        `Content-Type: application/octet-stream\r\nX-Content-SHA256: ${sha256(file)}\r\n\r\n`,
    );
    socket.write(file.subarray(0, 2000));
    await waitFor(async () => (await temporaryFiles(stack)) > 0, { what: 'the chunk to be on its way' });
    await stack.kill('upload');
    await stack.restart('upload');
    await expectNothingLeft(stack, id);
    expect((await put(url, id, 0, file)).body.data.status).toBe('completed');
  });

  it('after the last row are completed by whoever asks next', async () => {
    const file = videoBytes(1000);
    const { session_id: id } = await created(url, { size: 1001 });
    await put(url, id, 0, file);
    await stack.query('UPDATE upload_sessions SET file_size = 1000 WHERE id = $1', [id]);
    const again = await put(url, id, 0, file);
    expect(again.body.data).toMatchObject({ written: false, status: 'completed' });
    expect(await eventsOf(stack, id)).toEqual(['upload_started', 'upload_completed']);
  });
});

describe('expired sessions', () => {
  it('S3-13 end when they are touched: a chunk is 410', async () => {
    const id = await overdue(stack);
    expect(codeOf(await put(url, id, 1000, videoBytes(1000)))).toEqual([410, 'session_expired']);
    await expectExpired(stack, id);
    expect(codeOf(await put(url, id, 1000, videoBytes(1000)))).toEqual([410, 'session_expired']);
  });

  it('S3-13 end when they are looked at or completed', async () => {
    const looked = await overdue(stack);
    expect((await look(url, looked)).body.data.status).toBe('expired');
    await expectExpired(stack, looked);
    const asked = await overdue(stack);
    expect(codeOf(await complete(url, asked))).toEqual([410, 'session_expired']);
    await expectExpired(stack, asked);
  });
});

describe('facts', () => {
  it('S3-11 of an upload reach the stream in order, and progress maps to 5–10', async () => {
    const redis = createRedis(stack.redisUrl, 'producer', 'test');
    try {
      const file = videoBytes(8000);
      const { session_id: id, job_id } = await created(url, { size: 8000 });
      for (let at = 0; at < 8000; at += 1000) await put(url, id, at, file.subarray(at, at + 1000));
      const facts = async () =>
        (await redis.xrange(FACTS_STREAM, '-', '+'))
          .map(
            ([, fields]) =>
              JSON.parse(fields.at(-1)!) as { tenant_id: string; fact: Record<string, unknown> },
          )
          .filter(({ fact }) => fact.job_id === job_id);
      await waitFor(async () => (await facts()).some(({ fact }) => fact.event_type === 'upload_completed'), {
        what: 'the facts',
      });
      const seen = await facts();
      expect(seen[0]).toMatchObject({
        tenant_id: 'default',
        fact: {
          event_type: 'upload_started',
          session_id: id,
          seq: 1,
          durable: true,
          stage: 'uploading',
          progress_percentage: 5,
        },
      });
      const progress = seen
        .filter(({ fact }) => fact.event_type === 'upload_progress')
        .map(({ fact }) => fact);
      expect(progress.length).toBeGreaterThan(0);
      for (const fact of progress) {
        expect(fact).toMatchObject({ durable: false, bytes_total: 8000 });
        expect(fact.progress_percentage).toBeGreaterThanOrEqual(5);
        expect(fact.progress_percentage).toBeLessThanOrEqual(10);
      }
      expect(seen.find(({ fact }) => fact.event_type === 'upload_completed')?.fact).toMatchObject({
        progress_percentage: 10,
        bytes_received: 8000,
      });
    } finally {
      redis.disconnect();
    }
  });
});
