import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { Fact, StreamDone } from '#contracts';
import type { FactInput } from '#events';
import { waitFor } from '#testing';
import { type GatewayAlone, problem, startGatewayAlone, type Upload } from './rows.js';
import { type SseReader, SseReaders } from './sse.js';
import { Watcher } from './watcher.js';

let gateway: GatewayAlone;
const readers = new SseReaders();

beforeAll(async () => {
  gateway = await startGatewayAlone();
});
afterEach(() => readers.cut());
afterAll(() => gateway?.stop());

const read = (path: string, lastEventId: string | null = null) =>
  readers.open(gateway.url + path, lastEventId);

const record = ({ jobId }: Upload, progress: number, input: Partial<FactInput> = {}) =>
  gateway.record(jobId, { type: 'processing_progress', durable: true, progress, ...input });
const percents = (reader: SseReader, { jobId }: Upload) =>
  reader
    .of('processing_progress')
    .map(({ data }) => data as Fact)
    .filter(({ job_id }) => job_id === jobId)
    .map(({ progress_percentage }) => progress_percentage);
const remove = ({ jobId }: Upload) => gateway.database.query('DELETE FROM jobs WHERE id = $1', [jobId]);
const newestId = async () => {
  const [row] = await gateway.database.query('SELECT last FROM fact_positions');
  return String(row.last);
};

it('S3-11 who comes back with the newest id is told the newest progress', async () => {
  const upload = await gateway.insertUpload();
  await gateway.publish(await record(upload, 30));
  const lastEventId = await newestId();
  await gateway.publish(await record(upload, 44, { durable: false }));
  const job = read(`/events?job_id=${upload.jobId}`, lastEventId);
  const mine = read('/events', lastEventId);
  await waitFor(() => percents(job, upload).length > 0, { what: 'progress of the job' });
  await waitFor(() => percents(mine, upload).length > 0, { what: 'progress among all' });
  expect([percents(job, upload), percents(mine, upload)]).toEqual([[44], [44]]);
});

it('S3-11 progress waits for the durable fact before it, whose message is late or lost', async () => {
  const upload = await gateway.insertUpload();
  const job = read(`/events?job_id=${upload.jobId}`);
  const mine = read('/events');
  await Promise.all([job.hears('snapshot'), mine.hears('ready')]);
  const late = await record(upload, 20);
  await gateway.publish(await record(upload, 25, { durable: false }));
  await gateway.publish(late);
  await gateway.publish(await record(upload, 30), await record(upload, 35, { durable: false }));
  await record(upload, 40);
  await gateway.publish(await record(upload, 45, { durable: false }));
  for (const reader of [job, mine]) {
    await waitFor(() => percents(reader, upload).includes(45), { what: 'the newest progress' });
    const heard = percents(reader, upload);
    expect(heard).toEqual([...heard].sort((a = 0, b = 0) => a - b));
    expect(heard).toEqual(expect.arrayContaining([20, 30, 40, 45]));
  }
});

it('S1-03 streams of a job that is removed end, with its outcome, whatever of it was told', async () => {
  const upload = await gateway.insertUpload();
  const outcome = read(`/jobs/${upload.jobId}/stream`);
  const events = read(`/events?job_id=${upload.jobId}`);
  const watcher = await Watcher.connect(gateway.url);
  try {
    await watcher.subscribe({ job_id: upload.jobId });
    await Promise.all([outcome.hears('status'), events.hears('snapshot')]);
    await record(upload, 0, { type: 'processing_failed', code: 'cancelled', message: 'Stopped.' });
    await remove(upload);
    const [done] = await outcome.hears('done');
    expect(done?.data).toMatchObject({
      status: 'failed',
      error_code: 'cancelled',
    } satisfies Partial<StreamDone>);
    await waitFor(() => outcome.ended && events.ended, { what: 'the streams to end' });
    expect(await problem(await gateway.get(`/events?job_id=${upload.jobId}`))).toEqual([
      404,
      'job_not_found',
    ]);
    await waitFor(() => watcher.order.some((one) => one.startsWith('error')), { what: 'the error' });
    expect(watcher.facts.at(-1)).toMatchObject({ code: 'job_not_found' });
  } finally {
    watcher.close();
  }
});

it('S3-11 the end of a job that is removed at once is told to who follows all', async () => {
  const upload = await gateway.insertUpload();
  const mine = read('/events');
  await mine.hears('ready');
  const ended = await record(upload, 0, {
    type: 'processing_failed',
    code: 'cancelled',
    message: 'Stopped.',
  });
  const positioned = { ...ended, fact: { ...ended?.fact, id: await newestId() } } as typeof ended;
  await remove(upload);
  await gateway.publish(positioned);
  const [failed] = await mine.hears('processing_failed');
  expect(failed?.data).toMatchObject({ job_id: upload.jobId, code: 'cancelled' });
});
