import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { rm, statfs, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readMetrics, waitFor } from '#testing';
import {
  assembled,
  codeOf,
  created,
  expectNothingLeft,
  look,
  objects,
  post,
  put,
  rowsOf,
  sha256,
  startUploads,
  temporaryFiles,
  type UploadStack,
  videoBytes,
} from './support.js';
import { answerOn, offsetOf, open, stall } from './tus-support.js';

const CHUNK = 65_536;
const DISK = 4 * CHUNK;

let stack: UploadStack;
let url: string;

beforeAll(async () => {
  stack = await startUploads(1, {
    UPLOAD_MAX_CHUNK_SIZE: String(CHUNK),
    UPLOAD_MAX_FILE_SIZE: '1000000',
    UPLOAD_STALL_SECONDS: '0.4',
    UPLOAD_MIN_BYTES_PER_SECOND: '50000',
  });
  url = stack.uploads[0]!;
});
afterAll(() => stack?.stop());

const mount = (folder: string) =>
  spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK},mode=0777`, 'tmpfs', folder]).status === 0;
const unmount = (folder: string) => spawnSync('umount', ['-l', folder]);

/** Only root may, and not in every container. */
const canMount = (() => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-mount-'));
  const mounted = mount(folder);
  if (mounted) unmount(folder);
  rmdirSync(folder);
  return mounted;
})();

/** A chunk that is announced whole, of which these bytes are sent. */
function begin(id: string, file: Buffer, bytes: number): { socket: Socket; answer: Promise<string> } {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname).on('error', () => undefined);
  const answer = answerOn(socket);
  socket.write(
    `PUT /v1/upload/video/session/${id}/bytes/0 HTTP/1.1\r\nHost: ${hostname}\r\nContent-Length: ${file.length}\r\n` +
      `Content-Type: application/octet-stream\r\nX-Content-SHA256: ${sha256(file)}\r\n\r\n`,
  );
  socket.write(file.subarray(0, bytes));
  return { socket, answer };
}

const goesOn = async (id: string, file: Buffer) => {
  await waitFor(async () => (await temporaryFiles(stack)) === 0, { what: 'the temporary file to go' });
  await expectNothingLeft(stack, id);
  expect((await put(url, id, 0, file)).body.data.status).toBe('completed');
  expect((await assembled(stack, id)).equals(file)).toBe(true);
};

describe('S3-13 a client', () => {
  it('that falls silent hears 408, leaves nothing, and can go on', async () => {
    const file = videoBytes(2000);
    const { session_id: id } = await created(url, { size: 2000 });
    const before = (await readMetrics(url))('sluice_upload_chunks_total', { result: 'too_slow' });
    const { answer } = begin(id, file, 1000);
    expect(await answer).toMatch(/^HTTP\/1.1 408[\s\S]*connection: close[\s\S]*"code":"upload_too_slow"/i);
    expect((await readMetrics(url))('sluice_upload_chunks_total', { result: 'too_slow' })).toBe(before + 1);
    await goesOn(id, file);
  });

  it('that trickles, never silent for long, is ended all the same', async () => {
    const file = videoBytes(CHUNK);
    const { session_id: id } = await created(url, { size: CHUNK });
    const { socket, answer } = begin(id, file, 10);
    let sent = 10;
    const drip = setInterval(() => socket.write(file.subarray(sent++, sent)), 20);
    try {
      expect(await answer).toMatch(/^HTTP\/1.1 408[\s\S]*"code":"upload_too_slow"/);
    } finally {
      clearInterval(drip);
    }
    await goesOn(id, file);
  });

  it('that falls silent in a form leaves nothing', async () => {
    const before = await objects(stack);
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname).on('error', () => undefined);
    const answer = answerOn(socket);
    const part = 'Content-Disposition: form-data; name="file"; filename="clip.mp4"\r\n\r\n';
    socket.write(
      `POST /v1/upload/video HTTP/1.1\r\nHost: ${hostname}\r\nContent-Length: 90000\r\n` +
        `Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n${part}`,
    );
    socket.write(videoBytes(1000));
    expect(await answer).toMatch(/^HTTP\/1.1 408[\s\S]*"code":"upload_too_slow"/);
    await waitFor(async () => (await temporaryFiles(stack)) === 0, { what: 'the temporary file to go' });
    expect(await objects(stack)).toEqual(before);
  });

  it('of tus that falls silent loses its connection and keeps what came', async () => {
    const file = videoBytes(2000);
    const path = await open(url, 2000);
    const socket = await stall(url, path, { offset: 0, length: 2000, bytes: file.subarray(0, 1000) });
    expect(await answerOn(socket)).toBe('');
    await waitFor(async () => (await offsetOf(url, path)) === 1000, { what: 'what came to be kept' });
  });
});

describe.skipIf(!canMount)(
  'a full disk (skipped where a small file system can not be mounted: it takes root)',
  () => {
    let filler: string;

    /** Leaves room for one and a half chunks. */
    beforeAll(async () => {
      expect(mount(stack.storageDir)).toBe(true);
      filler = join(stack.storageDir, 'filler');
      await writeFile(filler, Buffer.alloc(DISK - 1.5 * CHUNK));
    });
    afterAll(() => unmount(stack.storageDir));

    const free = async () => {
      const { bavail, bsize } = await statfs(stack.storageDir);
      return bavail * bsize;
    };

    it('S3-06 refuses a chunk with 507, leaves its session and the others whole, and takes it when there is room', async () => {
      const file = videoBytes(2 * CHUNK);
      const { session_id: id } = await created(url, { size: file.length });
      expect((await put(url, id, 0, file.subarray(0, CHUNK))).status).toBe(200);
      const room = await free();
      expect(room).toBeLessThan(CHUNK);
      const before = await readMetrics(url);

      expect(codeOf(await put(url, id, CHUNK, file.subarray(CHUNK)))).toEqual([507, 'storage_full']);
      expect(codeOf(await post(url, { file: { bytes: videoBytes(CHUNK) } }))).toEqual([507, 'storage_full']);
      expect(await temporaryFiles(stack)).toBe(0);
      expect(await free()).toBe(room);
      expect((await look(url, id)).body.data).toMatchObject({
        status: 'active',
        missing: [[CHUNK, 2 * CHUNK]],
      });
      expect(await rowsOf(stack, id)).toHaveLength(1);
      const grown = (await readMetrics(url))('sluice_upload_chunks_total', { result: 'no_space' });
      expect(grown - before('sluice_upload_chunks_total', { result: 'no_space' })).toBe(2);

      const small = videoBytes(1000);
      const other = await created(url, { size: 1000 });
      expect((await put(url, other.session_id, 0, small)).body.data.status).toBe('completed');
      expect((await fetch(`${url}/health`)).status).toBe(200);

      await rm(filler);
      expect((await put(url, id, CHUNK, file.subarray(CHUNK))).body.data.status).toBe('completed');
      expect((await assembled(stack, id)).equals(file)).toBe(true);
    });
  },
);
