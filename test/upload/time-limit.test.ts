import { once } from 'node:events';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Answer, call, created, sha256, startUploads, type UploadStack, videoBytes } from './support.js';

const LIMIT_MS = 500;

let stack: UploadStack;
let url: string;

beforeAll(async () => {
  stack = await startUploads(1, { REQUEST_TIMEOUT_SECONDS: String(LIMIT_MS / 1000) });
  url = stack.uploads[0]!;
});
afterAll(() => stack?.stop());

/** Sends the parts one by one, `pause` after each but the last; without an end when `ends` is false. */
async function slowly(
  path: string,
  {
    method,
    type,
    parts,
    length,
    pause = LIMIT_MS,
  }: Record<'method' | 'type', string> & { parts: Buffer[]; length: number; pause?: number },
): Promise<{ status: number; body: Answer<{ status: string }>['body'] }> {
  const sent = request(`${url}/v1/upload/video${path}`, {
    method,
    headers: {
      ...{ 'content-type': type, 'content-length': length },
      'x-content-sha256': sha256(Buffer.concat(parts)),
    },
  });
  const answered = once(sent, 'response');
  for (const part of parts) {
    sent.write(part);
    // The limit itself is what is waited for: nothing tells that it has not struck.
    if (part !== parts.at(-1)) await new Promise((resolve) => setTimeout(resolve, pause));
  }
  const [response] = await answered;
  return { status: response.statusCode, body: JSON.parse(await text(response)) };
}

it('S1-10 a body of JSON that does not come to its end in time is refused with 408', async () => {
  const parts = [Buffer.from('{"filename":"clip.mp4",')];
  const late = await slowly('/session', { method: 'POST', type: 'application/json', parts, length: 100 });
  expect([late.status, late.body.code]).toEqual([408, 'request_timeout']);
});

it('S1-10 a chunk that takes longer than an ordinary request may is not cut', async () => {
  const bytes = videoBytes(1000);
  const { session_id: id } = await created(url, { size: bytes.length, file_hash: sha256(bytes) });
  const parts = [0, 250, 500, 750].map((at) => bytes.subarray(at, at + 250));
  const stored = await slowly(`/session/${id}/bytes/0`, {
    ...{ method: 'PUT', type: 'application/octet-stream', parts, length: bytes.length, pause: LIMIT_MS / 2 },
  });
  expect([stored.status, stored.body.data.status]).toEqual([200, 'completed']);
  expect((await call<{ status: string }>(url, 'GET', `/session/${id}`)).body.data.status).toBe('completed');
});
