import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { blobSource, SluiceClient, SluiceClientError, type UploadSource } from '#client';
import { fileSource } from '#client/node';
import {
  assembled,
  look,
  publish,
  put,
  sha256,
  startUploads,
  type UploadStack,
  videoBytes,
} from './support.js';

let stack: UploadStack;
let client: SluiceClient;

beforeAll(async () => {
  stack = await startUploads();
  client = new SluiceClient({ uploadUrl: `${stack.uploads[0]}/`, limits: null });
});
afterAll(() => stack?.stop());

const sourceOf = (bytes: Buffer, name = 'clip.mp4'): UploadSource => ({
  name,
  size: bytes.length,
  read: async (start, end) => bytes.subarray(start, end),
});

describe('the client', () => {
  it.each(['sequential', 'ends-first', 'shuffled'] as const)(
    'S2-03 sends a file %s with progress',
    async (order) => {
      const file = videoBytes(30_000);
      const sent: number[] = [];
      const sessions: string[] = [];
      const session = await client.upload(sourceOf(file), {
        order,
        chunkSize: 1000,
        parallel: 4,
        onSession: (data) => sessions.push(data.session_id),
        onProgress: (progress) => sent.push(progress.sent),
      });
      expect(session).toMatchObject({ status: 'completed', bytes_received: 30_000, missing: [] });
      expect(sessions).toEqual([session.session_id]);
      expect(sent).toEqual(sent.toSorted((a, b) => a - b));
      expect(sent.at(-1)).toBe(30_000);
      expect((await assembled(stack, session.session_id)).equals(file)).toBe(true);
    },
  );

  it('S2-02 holds no more than its parallel chunks in memory', async () => {
    const file = videoBytes(50_000);
    let held = 0;
    let most = 0;
    const source: UploadSource = {
      ...sourceOf(file),
      read: async (start, end) => {
        held += 1;
        most = Math.max(most, held);
        return file.subarray(start, end);
      },
    };
    const counting: typeof fetch = async (input, init) => {
      const response = await fetch(input, init);
      if (init?.method === 'PUT') held -= 1;
      return response;
    };
    const counted = new SluiceClient({ uploadUrl: stack.uploads[0]!, fetch: counting });
    await counted.upload(source, { chunkSize: 1000, parallel: 2 });
    expect(most).toBe(2);
  });

  it('S3-06 resumes a session and sends only what is missing', async () => {
    const file = videoBytes(10_000);
    const stop = new AbortController();
    let id = '';
    const stopped = client.upload(sourceOf(file), {
      chunkSize: 1000,
      parallel: 1,
      order: 'sequential',
      signal: stop.signal,
      onSession: (data) => {
        id = data.session_id;
      },
      onProgress: ({ sent }) => {
        if (sent === 4000) stop.abort();
      },
    });
    await expect(stopped).rejects.toMatchObject({ code: 'aborted', bytesSent: 4000 });
    const read: number[] = [];
    const source: UploadSource = {
      ...sourceOf(file),
      read: async (start, end) => {
        read.push(start);
        return file.subarray(start, end);
      },
    };
    const session = await client.upload(source, {
      sessionId: id,
      chunkSize: 1000,
      order: 'sequential',
      parallel: 1,
    });
    expect(session.status).toBe('completed');
    expect(read).toEqual([4000, 5000, 6000, 7000, 8000, 9000]);
    expect((await assembled(stack, id)).equals(file)).toBe(true);
    await expect(client.upload(sourceOf(videoBytes(500)), { sessionId: id })).rejects.toMatchObject({
      code: 'bad_source',
    });
  });

  it('learns from a refusal how large the chunks of a resumed session may be', async () => {
    const file = videoBytes(20_000);
    const { session_id: id } = await client.createSession({ filename: 'a.mp4', size: file.length });
    expect((await client.upload(sourceOf(file), { sessionId: id })).status).toBe('completed');
  });

  it('S3-08 does not send a known file', async () => {
    const file = videoBytes(3000);
    const first = await client.upload(sourceOf(file), { fileHash: sha256(file) });
    await publish(stack, first.session_id);
    const source: UploadSource = {
      ...sourceOf(file),
      read: () => Promise.reject(new Error('not to be read')),
    };
    const second = await client.upload(source, { fileHash: sha256(file) });
    expect(second).toMatchObject({ status: 'completed', job_id: first.job_id });
  });

  it('S2-05 says the code, the status and how much was sent', async () => {
    const refused = client.upload(sourceOf(videoBytes(100), '../x.mp4'));
    await expect(refused).rejects.toMatchObject({
      name: 'SluiceClientError',
      code: 'invalid_filename',
      status: 400,
      bytesSent: 0,
    });
    const text = client.upload(sourceOf(Buffer.alloc(9000, 'x')), {
      chunkSize: 1000,
      parallel: 1,
      order: 'sequential',
    });
    await expect(text).rejects.toMatchObject({ code: 'not_a_video', status: 415 });
    const changed: UploadSource = { ...sourceOf(videoBytes(100)), read: async () => Buffer.alloc(1) };
    await expect(client.upload(changed)).rejects.toMatchObject({ code: 'bad_source' });
    const nowhere = new SluiceClient({ uploadUrl: 'http://127.0.0.1:9' });
    await expect(nowhere.session('x')).rejects.toMatchObject({ code: 'network', status: 0 });
    expect(await nowhere.session('x').catch((error: unknown) => error)).toBeInstanceOf(SluiceClientError);
  });

  it('S0-14 tries again when the network or the service fails for a moment', async () => {
    const file = videoBytes(3000);
    let failures = 0;
    const flaky: typeof fetch = async (input, init) => {
      if (init?.method === 'PUT' && failures < 2) {
        failures += 1;
        if (failures === 1) throw new TypeError('fetch failed');
        return new Response('busy', { status: 503 });
      }
      return fetch(input, init);
    };
    const session = await new SluiceClient({ uploadUrl: stack.uploads[0]!, fetch: flaky }).upload(
      sourceOf(file),
    );
    expect(session.status).toBe('completed');
    expect(failures).toBe(2);
  });

  it('sends what a browser has: Blobs', async () => {
    const file = videoBytes(9000);
    const session = await client.upload(
      blobSource(new File([new Uint8Array(file)], 'blob.mp4', { type: 'video/mp4' })),
    );
    expect((await assembled(stack, session.session_id)).equals(file)).toBe(true);
    await client.cancel(session.session_id);
    expect((await client.session(session.session_id)).status).toBe('cancelled');
  });

  it('S2-01 reads files from disk, and says what is not one', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-client-'));
    try {
      const file = videoBytes(9000);
      const path = join(folder, 'disk.mp4');
      await writeFile(path, file);
      const session = await client.upload(await fileSource(path), { chunkSize: 2000 });
      expect((await assembled(stack, session.session_id)).equals(file)).toBe(true);
      await expect(fileSource(join(folder, 'none.mp4'))).rejects.toMatchObject({ code: 'file_not_found' });
      await expect(fileSource(folder)).rejects.toMatchObject({ code: 'not_a_file' });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it('answers what it does not know with an error of its own', async () => {
    const server: Server = createServer((_request, response) => response.end('<html>')).listen(
      0,
      '127.0.0.1',
    );
    await once(server, 'listening');
    try {
      const other = new SluiceClient({
        uploadUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      });
      await expect(other.session('x')).rejects.toMatchObject({ code: 'bad_answer', status: 200 });
    } finally {
      server.close();
    }
  });

  it('lets other clients send into the same session', async () => {
    const file = videoBytes(4000);
    const { session_id: id } = await client.createSession({ filename: 'a.mp4', size: 4000 });
    await put(stack.uploads[0]!, id, 1000, file.subarray(1000, 3000));
    await client.upload(sourceOf(file), { sessionId: id, chunkSize: 4000 });
    expect((await look(stack.uploads[0]!, id)).body.data.chunks_received).toBe(3);
  });
});
