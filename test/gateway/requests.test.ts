import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type DataSource, openDataSource } from '#persistence';
import { readMetrics, waitFor } from '#testing';
import { type GatewayAlone, problem, startGatewayAlone } from './rows.js';

let gateway: GatewayAlone;
let other: DataSource;

beforeAll(async () => {
  gateway = await startGatewayAlone({
    REQUEST_TIMEOUT_SECONDS: '0.5',
    WEBSOCKET_HEARTBEAT_INTERVAL: '1',
  });
  other = await openDataSource({ databaseUrl: gateway.stack.databaseUrl, poolSize: 2, name: 'test' });
});
afterAll(async () => {
  await other?.destroy();
  await gateway?.stop();
});

/** Sends these bytes on a connection of its own and answers with all that comes back. */
async function raw(bytes: string): Promise<string> {
  const { hostname, port } = new URL(gateway.url);
  const socket = connect(Number(port), hostname);
  await once(socket, 'connect');
  socket.write(bytes);
  return text(socket);
}

const logged = async () =>
  (await gateway.stack.logs('gateway'))
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);

it('S1-10 an ordinary request whose answer does not begin in time gets an error, and the process serves on', async () => {
  const { jobId } = await gateway.insertUpload();
  const runner = other.createQueryRunner();
  await runner.startTransaction();
  await runner.query('LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE');
  try {
    expect(await problem(await gateway.get(`/jobs/${jobId}`))).toEqual([503, 'unavailable']);
    expect((await gateway.get('/config.json')).status).toBe(200);
  } finally {
    await runner.rollbackTransaction();
    await runner.release();
  }
  await waitFor(async () => (await gateway.get(`/jobs/${jobId}`)).status === 200, { what: 'the job' });
});

it('S1-10 a stream of events is not cut by the time of ordinary requests', async () => {
  const { jobId } = await gateway.insertUpload();
  const stream = await gateway.get(`/jobs/${jobId}/stream`);
  let told = '';
  for await (const part of stream.body!.pipeThrough(new TextDecoderStream())) {
    told += part;
    // The second comes after four times the limit.
    if ((told.match(/^: heartbeat$/gm) ?? []).length === 2) break;
  }
  expect(told).toContain('event: status');
  expect(told).not.toContain('problem');
});

it('headers beyond the limit, and what is no HTTP, get a problem and the end of the connection', async () => {
  const large = await raw(`GET / HTTP/1.1\r\nhost: localhost\r\ncookie: ${'x'.repeat(20_000)}\r\n\r\n`);
  expect(large).toMatch(/^HTTP\/1\.1 431 /);
  expect(large).toContain('"code":"headers_too_large"');
  const noise = await raw('these are not the headers that you are looking for\r\n\r\n');
  expect(noise).toMatch(/^HTTP\/1\.1 400 /);
  expect(noise).toContain('"code":"bad_request"');
  expect((await gateway.get('/config.json')).status).toBe(200);
});

it('S1-10 each request is a line with its ids; a query, which may hold a token, is not in it', async () => {
  const { jobId } = await gateway.insertUpload();
  const answer = await gateway.get(`/jobs/${jobId}?access_token=s3cret`);
  const id = answer.headers.get('x-request-id');
  await waitFor(async () => (await logged()).some((line) => line.request_id === id), { what: 'the line' });
  const line = (await logged()).find(({ request_id, msg }) => request_id === id && msg === 'request');
  expect(line).toMatchObject({
    ...{ level: 'info', service: 'gateway', method: 'GET', url: `/jobs/${jobId}`, job_id: jobId },
    ...{ status: 200, tenant_id: 'default', ms: expect.any(Number), ip: '127.0.0.1' },
  });
  expect(await gateway.stack.logs('gateway')).not.toContain('s3cret');
  await gateway.get('/health');
  expect((await logged()).filter(({ url }) => url === '/health')).toEqual([]);
});

it('S3-14 requests are counted by the class of their status, probes are not', async () => {
  const before = await readMetrics(gateway.url);
  await gateway.get('/jobs/x');
  await gateway.get('/config.json');
  await gateway.get('/health');
  const after = await readMetrics(gateway.url);
  const grown = (status: string) =>
    after('sluice_requests_total', { status }) - before('sluice_requests_total', { status });
  expect([grown('2xx'), grown('4xx'), grown('5xx')]).toEqual([1, 1, 0]);
});
