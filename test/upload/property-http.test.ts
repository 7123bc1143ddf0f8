import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ERROR_CODES } from '#contracts';
import { type Answer, answersIn, type Given, toBytes } from './property/hostile.js';
import {
  BAD_CHUNKS,
  BAD_PATHS,
  BAD_SESSIONS,
  BAD_TUS,
  HASH,
  hashed,
  ten,
  UNKNOWN,
} from './property/hostile-cases.js';
import { BAD_FORMS } from './property/hostile-forms.js';
import { Random, seedOfThisRun } from './property/random.js';
import { exchange } from './property/wire.js';
import { created, look, put, startUploads, type UploadStack, videoBytes } from './support.js';

const seed = seedOfThisRun();
let stack: UploadStack;
let url: string;
let host: string;
/** An open session that no request here may harm. */
let id: string;

beforeAll(async () => {
  console.log(`SLUICE_TEST_SEED=${seed}`);
  stack = await startUploads();
  url = stack.uploads[0]!;
  host = new URL(url).host;
  id = (await created(url, { size: 2000 })).session_id;
  await put(url, id, 0, videoBytes(1000));
});
afterAll(() => stack?.stop());

function expectSound(answers: Answer[], what: string): void {
  for (const { status, body } of answers) {
    expect(status, `${what}\n${body}`).toBeLessThan(500);
    if (status < 400 || !body.startsWith('{')) continue;
    const problem = JSON.parse(body) as { code: string; detail: string; status: number };
    expect(ERROR_CODES, what).toContain(problem.code);
    expect(problem.detail, what).toMatch(/.\.$/);
    expect(problem.status, what).toBe(status);
  }
}

/** The headers of a request that is the only one of its connection. */
const lines = (...more: [string, string][]): [string, string][] => [
  ['Host', host],
  ['Connection', 'close'],
  ...more,
];
const octets = (...more: [string, string][]) => lines(['Content-Type', 'application/octet-stream'], ...more);
const session = () => `/v1/upload/video/session/${id}`;
const putAt = (offset: string, headers: [string, string][], body: string | Buffer = Buffer.alloc(10)) => ({
  method: 'PUT',
  path: `${session()}/bytes/${offset}`,
  headers,
  body,
});

/** Sends it as it is; at least one answer comes, none of them a 500. */
async function ask(given: Given | Buffer, closeOurs = false): Promise<Answer[]> {
  const bytes = Buffer.isBuffer(given) ? given : toBytes(given);
  const what = bytes.toString('latin1', 0, 300);
  const answers = answersIn(await exchange(url, bytes, closeOurs));
  expect(answers.length, what).toBeGreaterThan(0);
  expectSound(answers, what);
  return answers;
}

async function expectUnharmed(): Promise<void> {
  expect((await fetch(`${url}/health`)).status).toBe(200);
  const { data } = (await look(url, id)).body;
  expect(data).toMatchObject({ status: 'active', bytes_received: 1000, missing: [[1000, 2000]] });
}

describe('a stranger who speaks HTTP badly gets a code and a sentence', () => {
  it.each(BAD_CHUNKS)('a chunk %s', async (name, offset, headers, body) => {
    // Where more is announced than comes, our side says that this was all.
    const [answer] = await ask(putAt(offset, octets(...headers), body), /absurd/.test(name));
    expect(answer!.status).toBeGreaterThanOrEqual(400);
    await expectUnharmed();
  });

  it.each(BAD_PATHS)('the path %j', async (path) => {
    for (const method of ['GET', 'PUT', 'POST', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS', 'TRACE', 'PROPFIND'])
      await ask({ method, path, headers: lines() });
    await expectUnharmed();
  });

  it.each<[string, string | Buffer, string]>(BAD_SESSIONS)(
    'a session made of %s',
    async (_name, body, type) => {
      const before = await stack.query('SELECT count(*) FROM upload_sessions');
      const headers = lines(['Content-Type', type], ['Content-Length', String(Buffer.byteLength(body))]);
      const [answer] = await ask({ method: 'POST', path: '/v1/upload/video/session', headers, body });
      if (answer!.status >= 400)
        expect(await stack.query('SELECT count(*) FROM upload_sessions')).toEqual(before);
      await expectUnharmed();
    },
  );

  it.each<[string, string, string]>(BAD_FORMS)('a form %s', async (_name, type, body) => {
    const headers = lines(['Content-Type', type], ['Content-Length', String(Buffer.byteLength(body))]);
    const [answer] = await ask({ method: 'POST', path: '/v1/upload/video', headers, body });
    expect(answer!.status).toBeGreaterThanOrEqual(400);
    await expectUnharmed();
  });

  it.each(BAD_TUS)('a tus upload with %s', async (_name, metadata, length) => {
    const headers = lines(
      ['Tus-Resumable', '1.0.0'],
      ['Upload-Metadata', metadata],
      ['Upload-Length', length],
    );
    const [answer] = await ask({ method: 'POST', path: '/files', headers });
    expect(answer!.status).toBeGreaterThanOrEqual(400);
    await expectUnharmed();
  });

  it('answers requests in a pipeline in their order, each with its own', async () => {
    const open: [string, string][] = [['Host', host]];
    const one = (path: string) => toBytes({ path, headers: open });
    const chunk = toBytes({
      ...putAt('5000', [['Host', host], ['Content-Type', 'application/octet-stream'], hashed, ten]),
    });
    const last = toBytes({ path: session(), headers: lines() });
    const answers = await ask(Buffer.concat([one('/health'), one('/nothing'), chunk, one('/health'), last]));
    expect(answers.map(({ status }) => status)).toEqual([200, 404, 416, 200, 200]);
  });

  it('takes no request out of the body of another one', async () => {
    const inner = `DELETE ${session()} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
    for (const headers of [
      octets(hashed, ['Content-Length', String(inner.length)]),
      octets(hashed, ['Content-Length', String(inner.length + 5)], ['Transfer-Encoding', 'chunked']),
      octets(hashed, ['Transfer-Encoding', 'chunked'], ['Content-Length', '4']),
      octets(hashed, ['Transfer-Encoding', 'identity'], ['Content-Length', String(inner.length)]),
    ]) {
      await ask(putAt('1000', headers, inner));
      await ask(putAt('99999', headers, `0\r\n\r\n${inner}`));
    }
    await expectUnharmed();
  });

  it('stays up under a few hundred random requests', async () => {
    const random = new Random(seed);
    const methods = [
      'GET',
      'PUT',
      'POST',
      'DELETE',
      'PATCH',
      'HEAD',
      'OPTIONS',
      'G\u0000T',
      'get',
      'CONNECT',
      '',
    ];
    const parts = [
      'v1',
      'upload',
      'video',
      'session',
      UNKNOWN,
      'bytes',
      '0',
      '..',
      '%2e',
      '%',
      '\u00ff',
      'files',
      'complete',
      '?',
      '#',
      ';',
    ];
    const names = [
      'Host',
      'Content-Length',
      'Content-Type',
      'Transfer-Encoding',
      'X-Content-SHA256',
      'Origin',
      'Expect',
      'Upgrade',
      'Connection',
      'Range',
      'Tus-Resumable',
      'Upload-Length',
      'Upload-Offset',
      'X-HTTP-Method-Override',
      '',
    ];
    const values = [
      host,
      '10',
      '0',
      '-1',
      'chunked',
      'application/json',
      'application/octet-stream',
      'multipart/form-data; boundary=b',
      HASH,
      'null',
      '1.0.0',
      'PATCH',
      'websocket',
      'close',
      '\u0001',
      '',
    ];
    for (let count = 0; count < 300; count += 1) {
      const list = <T>(from: readonly T[], most: number) =>
        Array.from({ length: random.between(0, most) }, () => random.pick(from));
      const headers = list(names, 8).map((name): [string, string] => [name, random.pick(values)]);
      const given = {
        method: random.pick(methods),
        path: `/${list(parts, 9).join('/')}`,
        headers: [...(random.chance(0.8) ? lines() : []), ...headers],
        body: list(['{', '}', '"filename"', '--b', '\r\n', 'a', '\u0000', '0\r\n\r\n'], 12).join(''),
      };
      const bytes = toBytes(given);
      expectSound(answersIn(await exchange(url, bytes, true)), JSON.stringify(given));
    }
    await expectUnharmed();
    expect(await stack.logs('upload')).not.toMatch(/"level":"?(error|50|60)/);
  });
});
