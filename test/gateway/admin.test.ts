import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { QueueProducer } from '#queue';
import { type GatewayAlone, problem, startGatewayAlone, type Upload } from './rows.js';

const OPERATOR = basic('boss', 'twelve letters or more');
const VIEWER = basic('guest', 'another dozen letters');
const PAUSE = '/admin/queues/api/queues/plan/pause';
const QUEUES = '/admin/queues/api/queues';

function basic(user: string, password: string) {
  return { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` };
}

let gateway: GatewayAlone;
let queues: QueueProducer;
let upload: Upload;

beforeAll(async () => {
  gateway = await startGatewayAlone({
    ADMIN_USER: 'boss',
    ADMIN_PASSWORD: 'twelve letters or more',
    ADMIN_VIEWER_USER: 'guest',
    ADMIN_VIEWER_PASSWORD: 'another dozen letters',
    // Each test its own address: wrong passwords are counted by it.
    TRUST_PROXY: 'true',
  });
  queues = new QueueProducer(gateway.stack.redisUrl, 'test');
  upload = await gateway.insertUpload();
});
afterAll(async () => {
  await queues?.close();
  await gateway?.stop();
});

const own = () => ({ origin: gateway.url });

describe('the operator’s pages with a password', () => {
  it.each(['/admin/queues', QUEUES, '/admin/queues/static/images/logo.svg', `/admin/jobs/${randomUUID()}`])(
    '%s asks for one, and is closed to wrong ones',
    async (path) => {
      for (const headers of [{}, basic('boss', 'wrong'), basic('guest', 'twelve letters or more')]) {
        const answer = await gateway.get(path, {
          headers: { ...headers, 'x-forwarded-for': `10.0.0.${path.length}` },
        });
        expect(answer.headers.get('www-authenticate')).toMatch(/^Basic realm=/);
        expect(await problem(answer)).toEqual([401, 'unauthenticated']);
      }
    },
  );

  it('an operator changes queues from the board’s own page, and from no other', async () => {
    const put = (headers: Record<string, string>) => gateway.get(PAUSE, { method: 'PUT', headers });
    expect((await put({ ...OPERATOR, ...own() })).status).toBe(200);
    expect(await problem(await put({ ...OPERATOR, origin: 'https://elsewhere.example' }))).toEqual([
      403,
      'origin_not_allowed',
    ]);
    expect(await problem(await put(OPERATOR))).toEqual([403, 'origin_not_allowed']);
  });

  it('a viewer sees everything, is told that it is to be read only, and changes nothing', async () => {
    const listed = (await (await gateway.get(QUEUES, { headers: VIEWER })).json()) as {
      queues: { name: string; readOnlyMode: boolean; allowRetries: boolean }[];
    };
    expect(listed.queues.length).toBeGreaterThan(5);
    for (const queue of listed.queues)
      expect([queue.readOnlyMode, queue.allowRetries], queue.name).toEqual([true, false]);
    for (const [method, path] of [
      ['PUT', PAUSE],
      ['PUT', `${QUEUES}/plan/empty`],
      ['POST', `${QUEUES}/plan/add`],
      ['PATCH', `${QUEUES}/plan/x/update-data`],
    ] as const) {
      const answer = await gateway.get(path, { method, headers: { ...VIEWER, ...own() } });
      expect(await problem(answer), path).toEqual([403, 'scope_missing']);
    }
    const full = (await (await gateway.get(QUEUES, { headers: OPERATOR })).json()) as typeof listed;
    expect(full.queues.every((queue) => !queue.readOnlyMode)).toBe(true);
  });

  it('a job leads to its entries and an entry to its job', async () => {
    await queues.enqueue('plan', { jobId: upload.jobId }, { priority: 5 });
    const page = await gateway.get(`/admin/jobs/${upload.jobId}`, { headers: VIEWER });
    const text = await page.text();
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect(text).toContain(`/admin/queues/queue/plan/plan-${upload.jobId}`);
    expect(text).toContain(`/watch/${upload.jobId}`);
    const entry = (await (
      await gateway.get(`${QUEUES}/plan/plan-${upload.jobId}`, { headers: VIEWER })
    ).json()) as { job: { externalUrl: { href: string } } };
    expect(entry.job.externalUrl.href).toBe(`/admin/jobs/${upload.jobId}`);
  });

  it('what strangers named is text on the page, and unknown jobs are not found', async () => {
    await gateway.database.query(
      `UPDATE jobs SET error_message = '<script>alert(1)</script>' WHERE id = $1`,
      [upload.jobId],
    );
    const page = await gateway.get(`/admin/jobs/${upload.jobId}`, { headers: VIEWER });
    expect(await page.text()).not.toContain('<script>');
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    const get = (id: string) => gateway.get(`/admin/jobs/${id}`, { headers: VIEWER });
    expect(await problem(await get(randomUUID()))).toEqual([404, 'job_not_found']);
    expect(await problem(await get('x'))).toEqual([400, 'malformed_id']);
  });

  it('who guesses has to wait, and nobody else', async () => {
    const guess = (address: string, headers: Record<string, string>) =>
      gateway.get(QUEUES, { headers: { ...headers, 'x-forwarded-for': address } });
    for (let i = 0; i < 10; i++) expect((await guess('192.0.2.1', basic('boss', `${i}`))).status).toBe(401);
    const late = await guess('192.0.2.1', OPERATOR);
    expect(Number(late.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await problem(late)).toEqual([429, 'rate_limited']);
    expect((await guess('192.0.2.2', OPERATOR)).status).toBe(200);
  });
});
