import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ERROR_CODES } from '#contracts';
import { Random, seedOfThisRun } from './property/random.js';
import { exchange } from './property/wire.js';
import { created, look, put, sha256, startUploads, type UploadStack, videoBytes } from './support.js';

const seed = seedOfThisRun();
const UNKNOWN = '00000000-0000-4000-8000-000000000000';
/** Of none of the bodies here: nothing of all this may be confirmed. */
const HASH = sha256(Buffer.from('something else'));

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

interface Given {
  method?: string;
  path?: string;
  version?: string;
  /** In place of the ordinary ones; a header may come twice. */
  headers?: [string, string][];
  body?: string | Buffer;
}

const session = () => `/v1/upload/video/session/${id}`;
const bytesHeaders = (...more: [string, string][]): [string, string][] => [
  ['Host', host],
  ['Connection', 'close'],
  ...more,
];

function toBytes({ method = 'GET', path = '/', version = '1.1', headers, body = '' }: Given): Buffer {
  const lines = (headers ?? bytesHeaders()).map(([name, value]) => `${name}: ${value}\r\n`).join('');
  const head = Buffer.from(`${method} ${path} HTTP/${version}\r\n${lines}\r\n`, 'latin1');
  return Buffer.concat([head, Buffer.from(body)]);
}

interface Answer {
  status: number;
  body: string;
}

/** Every answer in what came back; a body is as long as its Content-Length says. */
function answersIn(text: string): Answer[] {
  const answers: Answer[] = [];
  for (let rest = text; rest.length > 0; ) {
    const match = /^HTTP\/1\.1 (\d{3})[^\r]*\r\n([\s\S]*?)\r\n\r\n/.exec(rest);
    if (!match) throw new Error(`no answer begins at ${text.length - rest.length}: ${text.slice(0, 2000)}`);
    // Node's own answer to a request without Host has no body, in chunks.
    const none = /^transfer-encoding: chunked/im.test(match[2]!) ? '0\r\n\r\n'.length : 0;
    const length = Number(/^content-length: (\d+)/im.exec(match[2]!)?.[1] ?? none);
    const body = rest.slice(match[0].length, match[0].length + length);
    if (match[1] !== '100') answers.push({ status: Number(match[1]), body });
    rest = rest.slice(match[0].length + length);
  }
  return answers;
}

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

const octets = (...more: [string, string][]) =>
  bytesHeaders(['Content-Type', 'application/octet-stream'], ...more);
const putAt = (
  offset: string,
  headers: [string, string][],
  body: string | Buffer = Buffer.alloc(10),
): Given => ({
  method: 'PUT',
  path: `${session()}/bytes/${offset}`,
  headers,
  body,
});
const hashed: [string, string] = ['X-Content-SHA256', HASH];
const ten: [string, string] = ['Content-Length', '10'];

describe('a stranger who speaks HTTP badly gets a code and a sentence', () => {
  it.each<[string, () => Given]>([
    ['without a hash', () => putAt('1000', octets(ten))],
    ['with two hashes', () => putAt('1000', octets(ten, hashed, hashed))],
    [
      'with a hash of look-alike digits',
      () => putAt('1000', octets(ten, ['X-Content-SHA256', '\u0660'.repeat(64)])),
    ],
    ['without a length', () => putAt('1000', octets(hashed), '')],
    ['with a length of 0', () => putAt('1000', octets(hashed, ['Content-Length', '0']), '')],
    ['with two equal lengths', () => putAt('1000', octets(hashed, ten, ten))],
    ['with two lengths', () => putAt('1000', octets(hashed, ten, ['Content-Length', '5']))],
    ['with a negative length', () => putAt('1000', octets(hashed, ['Content-Length', '-10']))],
    ['with a length in hex', () => putAt('1000', octets(hashed, ['Content-Length', '0xa']))],
    ['with a length with a plus', () => putAt('1000', octets(hashed, ['Content-Length', '+10']))],
    ['with a length list', () => putAt('1000', octets(hashed, ['Content-Length', '10, 10']))],
    ['with an absurd length', () => putAt('1000', octets(hashed, ['Content-Length', '9007199254740993']))],
    ['with a length of 30 digits', () => putAt('1000', octets(hashed, ['Content-Length', '9'.repeat(30)]))],
    [
      'chunked, without a length',
      () => putAt('1000', octets(hashed, ['Transfer-Encoding', 'chunked']), 'a\r\n0123456789\r\n0\r\n\r\n'),
    ],
    [
      'chunked, with a chunk size that is none',
      () => putAt('1000', octets(hashed, ['Transfer-Encoding', 'chunked']), 'zz\r\n0123456789\r\n0\r\n\r\n'),
    ],
    [
      'chunked, with a chunk size of 2^64',
      () =>
        putAt(
          '1000',
          octets(hashed, ['Transfer-Encoding', 'chunked']),
          `${'f'.repeat(16)}f\r\n0123456789\r\n0\r\n\r\n`,
        ),
    ],
    [
      'with length and chunks (CL.TE)',
      () =>
        putAt(
          '1000',
          octets(hashed, ten, ['Transfer-Encoding', 'chunked']),
          '0\r\n\r\nGET /x HTTP/1.1\r\n\r\n',
        ),
    ],
    [
      'with chunks and length (TE.CL)',
      () =>
        putAt(
          '1000',
          octets(hashed, ['Transfer-Encoding', 'chunked'], ten),
          '0\r\n\r\nGET /x HTTP/1.1\r\n\r\n',
        ),
    ],
    [
      'with an encoding that hides',
      () => putAt('1000', octets(hashed, ten, ['Transfer-Encoding', 'xchunked'])),
    ],
    [
      'with chunked twice',
      () => putAt('1000', octets(hashed, ['Transfer-Encoding', 'chunked, chunked']), '0\r\n\r\n'),
    ],
    ['gzipped', () => putAt('1000', octets(hashed, ten, ['Content-Encoding', 'gzip']))],
    ['with an Expect that is none', () => putAt('1000', octets(hashed, ten, ['Expect', 'the-unexpected']))],
    ['with a space before the colon', () => putAt('1000', octets(hashed, ['Content-Length ', '10']))],
    ['with a folded header', () => putAt('1000', octets(hashed, ['X-Folded', 'a\r\n b'], ten))],
    ['with a NUL in a header', () => putAt('1000', octets(hashed, ten, ['X-Nul', 'a\u0000b']))],
    ['with 64 KB of headers', () => putAt('1000', octets(hashed, ten, ['X-Long', 'a'.repeat(65_536)]))],
    [
      'with 3,000 headers',
      () =>
        putAt(
          '1000',
          octets(hashed, ten, ...Array.from({ length: 3000 }, (): [string, string] => ['a', 'b'])),
        ),
    ],
    ...[
      '-1',
      '+1',
      '1e3',
      '0x10',
      '1.5',
      '١٢٣',
      '１２３',
      '1'.repeat(17),
      '9007199254740993',
      ' 1',
      'NaN',
      '%00',
      '%31%00',
      '1%2f2',
      '..',
      '%2e%2e',
      '1;x',
      '',
      'null',
      '[1]',
      '%ff',
      '%E0%A4%A',
    ].map((offset): [string, () => Given] => [
      `at the offset ${JSON.stringify(offset)}`,
      () => putAt(toPath(offset), octets(hashed, ten)),
    ]),
  ])('a chunk %s', async (name, given) => {
    // Where more is announced than comes, our side says that this was all.
    const [answer] = await ask(given(), /absurd/.test(name));
    expect(answer!.status).toBeGreaterThanOrEqual(400);
    await expectUnharmed();
  });

  it.each([
    '/v1/upload/video/session/..%2f..%2f..%2fetc%2fpasswd',
    '/v1/upload/video/session/../../../../etc/passwd',
    '/v1/upload/video/session/%',
    '/v1/upload/video/session/%00',
    '/v1/upload/video/session/%c0%ae%c0%ae',
    `/v1/upload/video/session/${UNKNOWN}%0d%0aX-Header:%201`,
    `/v1/upload/video/session/${UNKNOWN.toUpperCase()}`,
    `/v1/upload/video/session/${'a'.repeat(30_000)}`,
    `/v1/upload/video/session/${"'; DROP TABLE upload_chunks; --"}`.replaceAll(' ', '%20'),
    '/v1/upload/video/session/__proto__',
    '/v1/upload/video/session/constructor/bytes/0',
    '//v1//upload/video/session//',
    '/V1/UPLOAD/VIDEO',
    '/v1/upload/video/?x[__proto__][y]=1&x=%',
    '/files/__proto__',
    'http://elsewhere.example/v1/upload/video',
    '*',
    '/\u00e4',
  ])('the path %j', async (path) => {
    for (const method of ['GET', 'PUT', 'POST', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS', 'TRACE', 'PROPFIND'])
      await ask({ method, path });
    await expectUnharmed();
  });

  it.each<[string, string | Buffer, string]>([
    ['nothing', '', 'application/json'],
    ['null', 'null', 'application/json'],
    ['a number', '1', 'application/json'],
    ['a list', '[]', 'application/json'],
    ['half of it', '{"filename":"a.mp4","size":', 'application/json'],
    [
      'text that is not UTF-8',
      Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]),
      'application/json',
    ],
    ['a NUL in a name', '{"filename":"a\\u0000.mp4","size":1}', 'application/json'],
    ['a NUL in a user', '{"filename":"a.mp4","size":1000,"user_id":"a\\u0000"}', 'application/json'],
    [
      'a lone surrogate in a user',
      '{"filename":"a.mp4","size":1000,"user_name":"\\ud800"}',
      'application/json',
    ],
    [
      'a NUL in the options',
      '{"filename":"a.mp4","size":1000,"options":{"a":"\\u0000"}}',
      'application/json',
    ],
    [
      'a lone surrogate in the options',
      '{"filename":"a.mp4","size":1000,"options":{"\\udfff":"\\ud800"}}',
      'application/json',
    ],
    [
      'a NUL in the content type',
      '{"filename":"a.mp4","size":1000,"content_type":"\\u0000"}',
      'application/json',
    ],
    ['a prototype', '{"__proto__":{"filename":"a.mp4","size":1000}}', 'application/json'],
    [
      'a prototype in the options',
      '{"filename":"a.mp4","size":1000,"options":{"__proto__":{"x":1}}}',
      'application/json',
    ],
    [
      'a constructor',
      '{"constructor":{"prototype":{"x":1}},"filename":"a.mp4","size":1000}',
      'application/json',
    ],
    ['a size of 1e400', '{"filename":"a.mp4","size":1e400}', 'application/json'],
    ['a size as text', '{"filename":"a.mp4","size":"1000"}', 'application/json'],
    ['a size as a list', '{"filename":"a.mp4","size":[1000]}', 'application/json'],
    ['a name as an object', '{"filename":{"toString":1},"size":1000}', 'application/json'],
    [
      'options 20,000 deep',
      `{"filename":"a.mp4","size":1000,"options":{"a":${'['.repeat(20_000)}${']'.repeat(20_000)}}}`,
      'application/json',
    ],
    ['60,000 keys', `{${Array.from({ length: 9000 }, (_, key) => `"${key}":1`).join()}}`, 'application/json'],
    ['70 KB', `{"filename":"${'a'.repeat(70_000)}.mp4","size":1000}`, 'application/json'],
    ['a form', 'filename=a.mp4&size=1000', 'application/x-www-form-urlencoded'],
    ['XML', '<filename>a.mp4</filename>', 'text/xml'],
    ['a type without end', '{}', 'application/json;'.repeat(50)],
    ['another charset', '{}', 'application/json; charset=utf-16'],
  ])('a session made of %s', async (_name, body, type) => {
    const before = await stack.query('SELECT count(*) FROM upload_sessions');
    const headers = bytesHeaders(['Content-Type', type], ['Content-Length', String(Buffer.byteLength(body))]);
    const [answer] = await ask({ method: 'POST', path: '/v1/upload/video/session', headers, body });
    if (answer!.status >= 400)
      expect(await stack.query('SELECT count(*) FROM upload_sessions')).toEqual(before);
    await expectUnharmed();
  });

  it.each<[string, string, string]>([
    ['without a boundary', 'multipart/form-data', 'x'],
    ['with an empty boundary', 'multipart/form-data; boundary=', 'x'],
    ['with a boundary of 5,000 characters', `multipart/form-data; boundary=${'b'.repeat(5000)}`, 'x'],
    ['that is empty', 'multipart/form-data; boundary=b', ''],
    ['that only ends', 'multipart/form-data; boundary=b', '--b--\r\n'],
    [
      'without a name',
      'multipart/form-data; boundary=b',
      '--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n',
    ],
    ['with a part without headers', 'multipart/form-data; boundary=b', '--b\r\n\r\nx\r\n--b--\r\n'],
    [
      'with fields named __proto__',
      'multipart/form-data; boundary=b',
      field('__proto__', 'x') + field('constructor', 'y') + file('a.mp4', 'x'),
    ],
    [
      'with a NUL in its options',
      'multipart/form-data; boundary=b',
      field('options', '{"a":"\\u0000"}') + file('a.mp4', ftyp()),
    ],
    [
      'with 1,000 fields',
      'multipart/form-data; boundary=b',
      field('a', 'b').repeat(1000) + file('a.mp4', ftyp()),
    ],
    [
      'with a field of 100 KB',
      'multipart/form-data; boundary=b',
      field('options', 'x'.repeat(100_000)) + file('a.mp4', ftyp()),
    ],
    [
      'with chunk 1e3 of 1e4',
      'multipart/form-data; boundary=b',
      field('chunk_index', '1e3') + field('total_chunks', '1e4') + file('a.mp4', ftyp()),
    ],
    [
      'with chunk -1',
      'multipart/form-data; boundary=b',
      field('chunk_index', '-1') + field('total_chunks', '2') + file('a.mp4', ftyp()),
    ],
    [
      'with a chunk in Arabic digits',
      'multipart/form-data; boundary=b',
      field('chunk_index', '١') + field('total_chunks', '٢') + file('a.mp4', ftyp()),
    ],
    [
      'of a session that is none',
      'multipart/form-data; boundary=b',
      field('session_id', "' OR 1=1") + field('chunk_index', '0') + file('a.mp4', ftyp()),
    ],
    [
      'of an unknown session, said late',
      'multipart/form-data; boundary=b',
      `${file('a.mp4', ftyp(), false) + field('session_id', UNKNOWN) + field('chunk_index', '0')}--b--\r\n`,
    ],
    [
      'with a header of 100 KB',
      'multipart/form-data; boundary=b',
      `--b\r\nContent-Disposition: form-data; name="file"; filename="${'a'.repeat(100_000)}.mp4"\r\n\r\nx\r\n--b--\r\n`,
    ],
    ['with a name that is a path', 'multipart/form-data; boundary=b', file('../../../../tmp/x.mp4', ftyp())],
    ['with a name of bad UTF-8', 'multipart/form-data; boundary=b', file('\u00ff\u00fe\u0000.mp4', ftyp())],
    [
      'with two files',
      'multipart/form-data; boundary=b',
      file('a.mp4', ftyp(), false) + file('b.mp4', ftyp()),
    ],
    [
      'nested in a form',
      'multipart/form-data; boundary=b',
      '--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\n--c--\r\n--b--\r\n',
    ],
  ])('a form %s', async (_name, type, body) => {
    const headers = bytesHeaders(['Content-Type', type], ['Content-Length', String(Buffer.byteLength(body))]);
    const [answer] = await ask({ method: 'POST', path: '/v1/upload/video', headers, body });
    expect(answer!.status).toBeGreaterThanOrEqual(400);
    await expectUnharmed();
  });

  it('answers requests in a pipeline in their order, each with its own', async () => {
    const open: [string, string][] = [['Host', host]];
    const one = (path: string) => toBytes({ path, headers: open });
    const chunk = toBytes({
      ...putAt('5000', [['Host', host], ['Content-Type', 'application/octet-stream'], hashed, ten]),
    });
    const last = toBytes({ path: session() });
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
        headers: [...(random.chance(0.8) ? bytesHeaders() : []), ...headers],
        body: list(['{', '}', '"filename"', '--b', '\r\n', 'a', '\u0000', '0\r\n\r\n'], 12).join(''),
      };
      const bytes = toBytes(given);
      expectSound(answersIn(await exchange(url, bytes, true)), JSON.stringify(given));
    }
    await expectUnharmed();
    expect(await stack.logs('upload')).not.toMatch(/"level":"?(error|50|60)/);
  });
});

/** Escapes stay as they are, hostile or not. */
function toPath(offset: string): string {
  return encodeURI(offset).replaceAll('%25', '%');
}

function field(name: string, value: string): string {
  return `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
}

function file(name: string, content: string, last = true): string {
  const head = `--b\r\nContent-Disposition: form-data; name="file"; filename="${name}"\r\n\r\n`;
  return `${head}${content}\r\n${last ? '--b--\r\n' : ''}`;
}

const ftyp = () => '\u0000\u0000\u0000\u0018ftypisom'.padEnd(100, 'x');
