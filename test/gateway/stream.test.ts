import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Fact, JobView, StreamDone, StreamProgress, StreamStatus } from '#contracts';
import type { FactInput } from '#events';
import { waitFor } from '#testing';
import { type GatewayAlone, problem, startGatewayAlone, type Upload } from './rows.js';
import { type SseReader, SseReaders } from './sse.js';
import { Watcher } from './watcher.js';

let gateway: GatewayAlone;
const readers = new SseReaders();

beforeAll(async () => {
  gateway = await startGatewayAlone({ WEBSOCKET_HEARTBEAT_INTERVAL: '1' });
});
afterEach(() => readers.cut());
afterAll(() => gateway?.stop());

const read = (path: string, lastEventId: string | null = null) =>
  readers.open(gateway.url + path, lastEventId);

const tell = async ({ jobId }: Upload, input: Partial<FactInput>) =>
  gateway.publish(await gateway.record(jobId, { type: 'processing_progress', durable: true, ...input }));

const complete = async (upload: Upload) => {
  await gateway.database.query(
    `UPDATE jobs SET status = 'completed', result = '{"hls":"/x"}', completed_at = now() WHERE id = $1`,
    [upload.jobId],
  );
  await tell(upload, {
    type: 'processing_completed',
    stage: 'completed',
    progress: 100,
    message: 'All renditions are stored.',
    result: { hls: '/x' },
  });
};

describe('S1-03 GET /jobs/:id/stream', () => {
  it('S1-03 tells the status, then progress, then how it ended, and closes', async () => {
    const upload = await gateway.insertUpload();
    const reader = read(`/jobs/${upload.jobId}/stream`);
    const [status] = await reader.hears('status');
    expect(reader.headers['content-type']).toBe('text/event-stream; charset=utf-8');
    expect(reader.headers['cache-control']).toContain('no-store');
    expect(status?.data).toEqual({
      job_id: upload.jobId,
      status: 'pending',
      stage: 'uploading',
      progress: 0,
    } satisfies StreamStatus);
    await tell(upload, { stage: 'transcoding', progress: 31, message: 'first' });
    await tell(upload, { durable: false, progress: 40 });
    await complete(upload);
    const [done] = await reader.hears('done');
    await waitFor(() => reader.ended, { what: 'the stream to close' });
    const progress = reader.of('progress').map(({ data }) => data as StreamProgress);
    expect(progress).toMatchObject([
      { job_id: upload.jobId, stage: 'transcoding', progress: 31, message: 'first', seq: 1 },
      { stage: 'transcoding', progress: 40, message: null, durable: false },
    ]);
    expect(Object.keys(progress[0] ?? {})).toEqual(
      expect.arrayContaining(['job_id', 'stage', 'progress', 'message', 'timestamp']),
    );
    expect(reader.of('progress').map(({ id }) => id === null)).toEqual([false, true]);
    expect(done?.data).toMatchObject({
      job_id: upload.jobId,
      status: 'completed',
      stage: 'completed',
      progress: 100,
      result: { hls: '/x' },
      error_code: null,
    } satisfies Partial<StreamDone>);
    expect(reader.events.map(({ event }) => event)).toEqual(['status', 'progress', 'progress', 'done']);
  });

  it('S1-03 a client that comes back gets what it has missed, and after the end nothing more', async () => {
    const upload = await gateway.insertUpload();
    const first = read(`/jobs/${upload.jobId}/stream`);
    await first.hears('status');
    await tell(upload, { stage: 'transcoding', progress: 31, message: 'one' });
    await first.hears('progress');
    first.cut();
    await tell(upload, { message: 'two' });
    await tell(upload, { durable: false, progress: 44 });
    await complete(upload);
    const second = read(`/jobs/${upload.jobId}/stream`, first.lastEventId);
    const [done] = await second.hears('done');
    expect(second.of('progress').map(({ data }) => (data as Fact).message)).toEqual(['two']);
    expect(done?.data).toMatchObject({ status: 'completed', result: { hls: '/x' } });
    const shown = second.events.map(({ data }) => (data as StreamStatus).progress);
    expect(shown).toEqual([...shown].sort((a, b) => a - b));
    const third = read(`/jobs/${upload.jobId}/stream`, second.lastEventId);
    await waitFor(() => third.ended, { what: 'the answer' });
    expect([third.status, third.events]).toEqual([204, []]);
  });

  it('S1-03 of a job that has failed the outcome comes at once, with its reason', async () => {
    const upload = await gateway.insertUpload();
    await gateway.database.query(
      `UPDATE jobs SET status = 'failed', error_code = 'cancelled', error_message = 'Stopped.' WHERE id = $1`,
      [upload.jobId],
    );
    await tell(upload, { type: 'processing_failed', code: 'cancelled', message: 'Stopped.' });
    const reader = read(`/jobs/${upload.jobId}/stream`);
    const [done] = await reader.hears('done');
    expect(done?.data).toMatchObject({
      status: 'failed',
      error_code: 'cancelled',
      error_message: 'Stopped.',
    });
    expect(reader.of('status')).toHaveLength(1);
  });

  it('S1-03 a heartbeat is a comment', async () => {
    const upload = await gateway.insertUpload();
    const reader = read(`/jobs/${upload.jobId}/stream`);
    await waitFor(() => reader.comments > 0, { what: 'a heartbeat' });
    expect(reader.events.map(({ event }) => event)).toEqual(['status']);
  });

  it('S1-03 404 for no job, 400 for no id, and for a last event id that is none', async () => {
    const upload = await gateway.insertUpload();
    const stream = (id: string, headers = {}) => gateway.get(`/jobs/${id}/stream`, { headers });
    expect(await problem(await stream(randomUUID()))).toEqual([404, 'job_not_found']);
    expect(await problem(await stream('x'))).toEqual([400, 'malformed_id']);
    expect(await problem(await stream(upload.jobId, { 'last-event-id': 'DROP' }))).toEqual([
      400,
      'malformed_id',
    ]);
    expect((await gateway.get(`/jobs/${upload.jobId}/stream`, { method: 'HEAD' })).status).toBe(200);
  });
});

describe('GET /events', () => {
  it('S3-11 has the same events, ids and order as Socket.IO', async () => {
    const upload = await gateway.insertUpload();
    const reader = read(`/events?session_id=${upload.sessionId}`);
    const watcher = await Watcher.connect(gateway.url);
    try {
      await watcher.subscribe({ job_id: upload.jobId });
      const [snapshot] = await reader.hears('snapshot');
      expect(snapshot?.data as JobView).toMatchObject({ id: upload.jobId });
      for (let i = 1; i <= 20; i += 1) await tell(upload, { durable: i % 3 !== 0, progress: i });
      await tell(upload, { message: 'the last' });
      await watcher.hears(21);
      await reader.hears('processing_progress', watcher.facts.length);
      const told = watcher.facts.map(({ at, ...fact }) => fact);
      expect(reader.of('processing_progress').map(({ data }) => data)).toEqual(told);
      expect(reader.of('processing_progress').map(({ id }) => id ?? undefined)).toEqual(
        told.map(({ id }) => id),
      );
      const ids = told.flatMap(({ id }) => (id === undefined ? [] : [Number(id)]));
      expect(ids).toEqual([...new Set(ids)].sort((a, b) => a - b));
    } finally {
      watcher.close();
    }
  });

  it('mine: all uploads of the tenant, in the order of their commits, from where the client was', async () => {
    const [one, other] = [await gateway.insertUpload(), await gateway.insertUpload()];
    const reader = read('/events');
    await reader.hears('ready');
    await tell(one, { message: 'a' });
    await tell(other, { message: 'b' });
    await tell(one, { durable: false, progress: 12 });
    await reader.hears('processing_progress', 3);
    reader.cut();
    await tell(other, { message: 'c' });
    await gateway.record(one.jobId, { type: 'processing_progress', durable: true, message: 'unannounced' });
    await tell(other, { message: 'd' });
    const again = read('/events', reader.lastEventId);
    await again.hears('processing_progress', 3);
    const messages = (from: SseReader) =>
      from
        .of('processing_progress')
        .map(({ data }) => data as Fact)
        .flatMap(({ durable, message }) => (durable ? [message] : []));
    expect([...messages(reader), ...messages(again)]).toEqual(['a', 'b', 'c', 'unannounced', 'd']);
  });

  it('a socket follows mine, or single videos, and is told so', async () => {
    const upload = await gateway.insertUpload();
    const watcher = await Watcher.connect(gateway.url);
    try {
      const answer = await watcher.subscribe({ mine: true });
      expect(answer).toEqual({ ok: true, last_event_id: expect.stringMatching(/^\d+$/) });
      expect(await watcher.subscribe({ job_id: upload.jobId })).toMatchObject({ code: 'bad_request' });
      expect(await watcher.subscribe({ mine: false })).toMatchObject({ code: 'bad_request' });
      expect(await watcher.subscribe({ mine: true, last_event_id: '-1' })).toMatchObject({
        code: 'malformed_id',
      });
      await tell(upload, { message: 'heard' });
      await watcher.hears(1);
      await watcher.unsubscribe({ mine: true });
      expect(await watcher.subscribe({ job_id: upload.jobId })).toMatchObject({ ok: true });
    } finally {
      watcher.close();
    }
  });

  it('a client that does not read slows nobody, and has missed nothing when it does', async () => {
    const upload = await gateway.insertUpload();
    const { hostname, port } = new URL(gateway.url);
    const slow = connect(Number(port), hostname);
    slow.write(`GET /events?job_id=${upload.jobId} HTTP/1.1\r\nhost: ${hostname}:${port}\r\n\r\n`);
    let text = '';
    slow.on('data', (bytes: Buffer) => {
      text += bytes.toString();
    });
    await waitFor(() => text.includes('event: snapshot'), { what: 'the snapshot' });
    slow.pause();
    const quick = read(`/events?job_id=${upload.jobId}`);
    await quick.hears('snapshot');
    // More than the kernel and the process keep for one connection.
    const filler = 'x'.repeat(100_000);
    for (let i = 0; i < 100; i += 1) await tell(upload, { message: filler });
    await quick.hears('processing_progress', 100);
    slow.resume();
    const count = () => text.split('event: processing_progress\n').length - 1;
    await waitFor(() => count() >= 100, { what: 'the slow client to have all' });
    slow.destroy();
    const ids = [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => id);
    const told = quick.of('processing_progress').map(({ id }) => id);
    expect(ids.slice(-100)).toEqual(told);
  });
});
