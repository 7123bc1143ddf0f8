import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobPage } from '#contracts';
import { startSeconds } from '#work';
import { type GatewayAlone, problem, startGatewayAlone, type Upload } from './rows.js';

let gateway: GatewayAlone;
let uploads: Upload[];
const batch = randomUUID();

beforeAll(async () => {
  gateway = await startGatewayAlone({ WEBSOCKET_ENABLED: 'false' });
  const { query } = gateway.stack;
  uploads = [];
  for (let i = 0; i < 7; i += 1) uploads.push(await gateway.insertUpload());
  // All of one instant but the last: their order is by id then, and a cursor may stand between them.
  await query(`UPDATE jobs SET created_at = '2026-01-02T03:04:05.123456Z'`);
  await query(`UPDATE jobs SET created_at = '2026-03-01T00:00:00Z' WHERE id = $1`, [uploads[6]?.jobId]);
  await query(`INSERT INTO upload_batches (id, tenant_id) VALUES ($1, 'default')`, [batch]);
  await query(
    `UPDATE upload_sessions SET batch_id = $2, user_id = 'ann', filename = '100%_Holiday.mp4' WHERE id = $1`,
    [uploads[0]?.sessionId, batch],
  );
  await query(
    `UPDATE jobs SET status = 'failed', stage = 'transcoding', priority = 9, error_code = 'encode_failed',
       error_message = 'The video could not be converted.', error_detail = '{"stderr":"x"}', completed_at = now() WHERE id = $1`,
    [uploads[1]?.jobId],
  );
});
afterAll(() => gateway?.stop());

async function list(query: string): Promise<JobPage> {
  const response = await gateway.get(`/jobs?${query}`);
  expect(response.status, query).toBe(200);
  return (await response.json()) as JobPage;
}
const idsOf = async (query: string) => (await list(query)).jobs.map(({ id }) => id);
const jobIds = (...indices: number[]) => indices.map((i) => uploads[i]?.jobId);

describe('the list of jobs', () => {
  it('S1-02 is read page by page, each job once, the newest first, also where many are of one instant', async () => {
    const seen: string[] = [];
    let cursor: string | null = '';
    for (let pages = 0; cursor !== null && pages < 10; pages += 1) {
      const page: JobPage = await list(`limit=2${cursor && `&cursor=${cursor}`}`);
      expect(page.jobs.length).toBeLessThanOrEqual(2);
      seen.push(...page.jobs.map(({ id }) => id));
      cursor = page.next_cursor;
    }
    expect(cursor).toBeNull();
    const rest = uploads.slice(0, 6).map(({ jobId }) => jobId);
    expect(seen).toEqual([uploads[6]?.jobId, ...rest.sort().reverse()]);
  });

  it.each([
    ['status=failed', [1]],
    ['status=completed', []],
    ['stage=transcoding', [1]],
    ['code=encode_failed,cancelled', [1]],
    ['priority=9', [1]],
    ['user_id=ann', [0]],
    ['filename=0%25_h', [0]],
    ['filename=0__h', []],
    ['created_after=2026-02-01', [6]],
    ['created_after=2026-02-01T00:00:00Z&created_before=2026-03-01', []],
    ['status=pending,failed&priority=9', [1]],
  ])('is asked for %s', async (query, expected) => {
    expect(await idsOf(query)).toEqual(jobIds(...expected));
  });

  it('is asked for a session and a batch', async () => {
    expect(await idsOf(`session_id=${uploads[3]?.sessionId}`)).toEqual(jobIds(3));
    expect(await idsOf(`batch_id=${batch}`)).toEqual(jobIds(0));
    expect(await idsOf(`session_id=${uploads[3]?.sessionId}&batch_id=${batch}`)).toEqual([]);
  });

  it('says of each what its view says, without its events and renditions', async () => {
    const [job] = (await list('status=failed')).jobs;
    const view = await (await gateway.get(`/jobs/${job?.id}`)).json();
    const { latest_events, renditions, ...summary } = view as Record<string, unknown>;
    expect(job).toEqual(summary);
    expect(job?.failure).toMatchObject({
      code: 'encode_failed',
      message: 'The video could not be converted.',
      stage: 'transcoding',
      retryable: false,
      detail: { stderr: 'x' },
    });
  });

  it.each([
    'status=done',
    'stage=x',
    'priority=11',
    'session_id=1',
    'batch_id=%00',
    'filename=%00',
    'user_id=',
    'created_after=yesterday',
    'limit=0',
    'limit=201',
    'cursor=x',
    `cursor=${Buffer.from('1.2').toString('base64url')}`,
    'unknown=1',
  ])('refuses %s', async (query) => {
    expect(await problem(await gateway.get(`/jobs?${query}`))).toEqual([400, 'validation_failed']);
  });
});

describe('when a waiting job may start', () => {
  it.each([
    ['a place is free', { place: 1, places: 2, left: [30], usual: null }, 0],
    ['the first of those at work ends', { place: 1, places: 2, left: [30, 10], usual: null }, 10],
    ['so does the second', { place: 2, places: 2, left: [30, 10], usual: null }, 30],
    ['one before it has come and gone', { place: 3, places: 2, left: [30, 10], usual: 60 }, 70],
    [
      'one of them says nothing, and they are usually alike',
      { place: 1, places: 1, left: [null], usual: 60 },
      60,
    ],
    ['nobody knows', { place: 1, places: 1, left: [null], usual: null }, null],
    ['nobody knows how long those before it take', { place: 2, places: 1, left: [5], usual: null }, null],
    ['more are at work than there are places', { place: 1, places: 1, left: [5, 50], usual: null }, 50],
  ] as const)('%s', (_name, places, expected) => {
    expect(startSeconds(places)).toBe(expected);
  });

  it('is said beside the place in line', async () => {
    await gateway.stack.query(`UPDATE jobs SET source_complete = true WHERE id = ANY($1)`, [jobIds(4, 5)]);
    const view = (await list('filename=clip&limit=200')).jobs.find(({ id }) => id === uploads[4]?.jobId);
    expect(view).toMatchObject({
      waiting_for: 'place',
      waiting_message: expect.stringContaining('this one'),
    });
    expect(Date.parse(view?.may_start_at ?? '')).toBeLessThanOrEqual(Date.now() + 1000);
  });
});
