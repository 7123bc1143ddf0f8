import { once } from 'node:events';
import { mkdtemp, open, readdir, readlink, rm, truncate, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { checkFile, DEFAULT_LIMITS, SluiceClient, SluiceClientError } from '#client';
import { fileSource, putFile } from '#client/node';
import { waitFor } from '#testing';
import { videoBytes } from './support.js';

let server: Server;
let url: string;
let folder: string;
let path: string;
const file = videoBytes(300_000);
let handle: (request: IncomingMessage, response: ServerResponse) => void;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-put-'));
  path = join(folder, 'finished.mp4');
  await writeFile(path, file);
  server = createServer((request, response) => handle(request, response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/to/a/bucket?signature=x`;
});
beforeEach(() => {
  handle = (request, response) => request.resume().on('end', () => response.end());
});
afterAll(async () => {
  server.close();
  await rm(folder, { recursive: true, force: true });
});

/** Descriptors of this process that lead into the folder, and connections to the server. */
async function left(): Promise<string[]> {
  const targets = await Promise.all(
    (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')),
  );
  const connections = await new Promise<number>((resolve) => server.getConnections((_e, n) => resolve(n)));
  return [...targets.filter((target) => target.startsWith(folder)), ...Array(connections).fill('connection')];
}

const isClosed = () => waitFor(async () => (await left()).length === 0, { what: 'everything to be closed' });

async function failure(promise: Promise<unknown>, before = () => {}): Promise<SluiceClientError> {
  const error = await promise.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(SluiceClientError);
  before();
  await isClosed();
  return error as SluiceClientError;
}

describe('S2-04 a file is streamed by PUT', () => {
  it('to any URL, with its type, its length and what the URL was signed with', async () => {
    const arrived: Buffer[] = [];
    const asked: IncomingMessage[] = [];
    handle = async (request, response) => {
      asked.push(request);
      arrived.push(await buffer(request));
      response.setHeader('etag', '"abc"').end();
    };
    const sent: number[] = [];
    const result = await putFile(path, url, {
      headers: { 'x-amz-meta-by': 'sluice' },
      onProgress: (progress) => sent.push(progress.sent),
    });
    expect(result).toMatchObject({ status: 200, bytesSent: file.length, headers: { etag: '"abc"' } });
    expect(arrived[0]?.equals(file)).toBe(true);
    expect([asked[0]?.method, asked[0]?.url]).toEqual(['PUT', '/to/a/bucket?signature=x']);
    expect(asked[0]?.headers).toMatchObject({
      'content-type': 'video/mp4',
      'content-length': String(file.length),
      'x-amz-meta-by': 'sluice',
    });
    expect(asked[0]?.headers['transfer-encoding']).toBeUndefined();
    expect(sent).toEqual(sent.toSorted((a, b) => a - b));
    expect(sent.at(-1)).toBe(file.length);
    await isClosed();
  });

  it('S2-02 S2-07 in flat memory, whatever the size and however many there are', async () => {
    const large = join(folder, 'large.mp4');
    await (await open(large, 'w')).close();
    await truncate(large, 128 * 1024 * 1024);
    const before = process.memoryUsage().rss;
    let most = 0;
    const watch = () => {
      most = Math.max(most, process.memoryUsage().rss);
    };
    const all = [1, 2, 3, 4].map(() => putFile(large, url, { onProgress: watch }));
    for (const { bytesSent } of await Promise.all(all)) expect(bytesSent).toBe(128 * 1024 * 1024);
    expect(most - before).toBeLessThan(100 * 1024 * 1024);
    await isClosed();
  });
});

describe('S2-05 what fails is typed, says how much had gone, and leaves nothing open', () => {
  it('http: an answer that is no success, also one that comes early', async () => {
    handle = (request, response) =>
      request.resume().on('end', () => response.writeHead(403).end('<Code>no</Code>'));
    expect(await failure(putFile(path, url))).toMatchObject({
      ...{ kind: 'http', code: 'http_status', status: 403, bytesSent: file.length },
      details: { body: '<Code>no</Code>' },
    });
    handle = (_request, response) => response.writeHead(413).end();
    const large = join(folder, 'early.mp4');
    await writeFile(large, Buffer.alloc(64 * 1024 * 1024));
    const early = await failure(putFile(large, url));
    expect(early).toMatchObject({ kind: 'http', status: 413 });
    expect(early.bytesSent).toBeLessThan(64 * 1024 * 1024);
    handle = (_request, response) => response.writeHead(307, { location: url }).end();
    expect(await failure(putFile(path, url))).toMatchObject({ kind: 'http', status: 307 });
  });

  it('timeout: of all of it, and of a receiver that takes nothing', async () => {
    handle = (request) => request.resume();
    expect(await failure(putFile(path, url, { timeoutMs: 200 }))).toMatchObject({
      ...{ kind: 'timeout', code: 'timeout', status: 0, bytesSent: file.length },
    });
    let held: IncomingMessage | undefined;
    handle = (request) => {
      held = request;
    };
    const large = join(folder, 'stalled.mp4');
    await writeFile(large, Buffer.alloc(64 * 1024 * 1024));
    const stalled = await failure(putFile(large, url, { stallMs: 300 }), () => held?.resume());
    expect(stalled).toMatchObject({ kind: 'timeout' });
    expect(stalled.bytesSent).toBeLessThan(64 * 1024 * 1024);
  });

  it('network: nobody there, or one who hangs up', async () => {
    expect(await failure(putFile(path, 'http://127.0.0.1:9/'))).toMatchObject({
      ...{ kind: 'network', code: 'network', bytesSent: 0 },
    });
    handle = (request) => request.once('data', () => request.socket.destroy());
    expect(await failure(putFile(path, url))).toMatchObject({ kind: 'network' });
  });

  it('aborted: by its signal, before and while it is sent', async () => {
    expect(await failure(putFile(path, url, { signal: AbortSignal.abort() }))).toMatchObject({
      kind: 'aborted',
    });
    const stop = new AbortController();
    handle = (request) => request.once('data', () => stop.abort());
    expect(await failure(putFile(path, url, { signal: stop.signal }))).toMatchObject({
      ...{ kind: 'aborted', code: 'aborted' },
    });
  });

  it('S2-01 validation: each has its own code, and nobody is called', async () => {
    let called = 0;
    handle = (_request, response) => {
      called += 1;
      response.end();
    };
    const small = join(folder, 'small.mp4');
    await writeFile(small, 'x'.repeat(1023));
    const text = join(folder, 'text.txt');
    await writeFile(text, 'x'.repeat(2000));
    const cases: [() => Promise<unknown>, string][] = [
      [() => putFile(join(folder, 'none.mp4'), url), 'file_not_found'],
      [() => putFile(folder, url), 'not_a_file'],
      [() => putFile(small, url), 'file_too_small'],
      [() => putFile(text, url), 'extension_not_allowed'],
      [() => putFile(path, url, { contentType: 'image/png' }), 'not_a_video_type'],
      [() => putFile(path, url, { limits: { ...DEFAULT_LIMITS, maxSize: 1000 } }), 'file_too_large'],
      [() => putFile(path, 'ftp://example.com/'), 'bad_url'],
    ];
    for (const [attempt, code] of cases)
      expect(await failure(attempt())).toMatchObject({ kind: 'validation', code, status: 0, bytesSent: 0 });
    expect(called).toBe(0);
    expect(await putFile(text, url, { limits: null })).toMatchObject({ status: 200 });
  });
});

describe('S2-01 before an upload', () => {
  const at = (name: string, size: number, type?: string) => ({ name, size, ...(type && { type }) });

  it('the default limits are those of the contract', () => {
    for (const extension of '.mp4 .m4v .mov .avi .mkv .webm .ogg .ogv .3gp .ts .m2ts'.split(' '))
      checkFile(at(`A${extension.toUpperCase()}`, 524_288_000), DEFAULT_LIMITS);
    const refused: [Parameters<typeof at>, string][] = [
      [['a.mp4', 524_288_001], 'file_too_large'],
      [['a.mp4', 1023], 'file_too_small'],
      [['a.mp4', 0], 'empty_file'],
      [['a.exe', 2000], 'extension_not_allowed'],
      [['mp4', 2000], 'extension_not_allowed'],
      [['a.mp4', 2000, 'text/html'], 'not_a_video_type'],
      [['a.mov', 2000, 'application/pdf'], 'not_a_video_type'],
    ];
    for (const [file, code] of refused)
      expect(() => checkFile(at(...file), DEFAULT_LIMITS), code).toThrow(expect.objectContaining({ code }));
  });

  it('a type that systems get wrong is no reason', () => {
    for (const [name, type] of [
      ['a.ts', 'text/vnd.trolltech.linguist'],
      ['a.ogg', 'audio/ogg'],
      ['a.mkv', 'application/x-matroska; codecs=x'],
      ['a.mp4', 'VIDEO/MP4'],
    ] as const)
      checkFile(at(name, 2000, type), DEFAULT_LIMITS);
  });

  it('S2-06 a name is told on one line', () => {
    expect(() => checkFile(at('a\n2026 ERROR\u202e.exe', 2000), DEFAULT_LIMITS)).toThrow(
      'a?2026 ERROR?.exe is not',
    );
  });

  it('nothing is asked of the service for a file that is too small or no video', async () => {
    const nobody = new SluiceClient({
      uploadUrl: 'http://127.0.0.1:9',
      fetch: () => Promise.reject(new Error('was asked')),
    });
    const small = join(folder, 'tiny.mp4');
    await writeFile(small, 'x');
    await expect(nobody.upload(await fileSource(small))).rejects.toMatchObject({
      ...{ code: 'file_too_small', kind: 'validation' },
    });
    const picture = { ...(await fileSource(path)), type: 'image/png' };
    await expect(nobody.upload(picture)).rejects.toMatchObject({ code: 'not_a_video_type' });
    await expect(nobody.upload(await fileSource(path))).rejects.toMatchObject({ kind: 'network' });
  });
});
