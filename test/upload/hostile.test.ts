import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitFor } from '#testing';
import { type Trap, trapsTo } from '../clips/traps.js';
import {
  codeOf,
  create,
  created,
  expectNothingLeft,
  look,
  objects,
  post,
  put,
  startUploads,
  type UploadStack,
} from './support.js';
import { idOf, metadata, open, patch, STREAM, tus } from './tus-support.js';

const TRAPS = trapsTo('/etc/hostname', 'http://127.0.0.1:9/canary.ts');
const bytesOf = (start: string) => Buffer.from(start, 'latin1');
const padded = (head: Buffer) => Buffer.concat([head, Buffer.alloc(2048 - head.length)]);

/** Pictures, archives, documents and programs by their first bytes. */
const OTHERS: Trap[] = [
  { name: 'a PNG', bytes: padded(bytesOf('\x89PNG\r\n\x1a\n\0\0\0\rIHDR')) },
  { name: 'a JPEG', bytes: padded(bytesOf('\xff\xd8\xff\xe0\0\x10JFIF\0')) },
  { name: 'a GIF', bytes: padded(bytesOf('GIF89a\x01\0\x01\0')) },
  { name: 'a WebP', bytes: padded(bytesOf('RIFF\0\0\x10\0WEBPVP8 ')) },
  { name: 'an SVG', bytes: padded(bytesOf('<svg xmlns="http://www.w3.org/2000/svg">')) },
  { name: 'a ZIP', bytes: padded(bytesOf('PK\x03\x04\x14\0\0\0\x08\0')) },
  { name: 'a program', bytes: padded(bytesOf('\x7fELF\x02\x01\x01\0\0\0\0\0')) },
];

describe('what is no video, by name or by content', () => {
  let stack: UploadStack;
  let url: string;
  beforeAll(async () => {
    stack = await startUploads(1, { UPLOAD_DENIED_EXTENSIONS: '.AVI, ogg' });
    url = stack.uploads[0]!;
  });
  afterAll(async () => {
    await stack?.stop();
  });

  it.each([...TRAPS, ...OTHERS])(
    'S3-05 $name is refused with its first chunk, and nothing is kept',
    async ({ bytes }) => {
      // A session that says it is far larger: the first chunk is enough.
      const { session_id: id } = await created(url, { filename: 'holiday.mp4', size: 90_000 });
      expect(codeOf(await put(url, id, 0, bytes))).toEqual([415, 'not_a_video']);
      await expectNothingLeft(stack, id);
    },
  );

  it('S3-05 chunks of a few bytes are judged as soon as they say enough, in whatever order they come', async () => {
    const { session_id: id } = await created(url, { size: 4000 });
    const text = Buffer.from('#EXTM3U\n#EXTINF:4,\nfile:///etc/hostname\n');
    const send = (at: number) => put(url, id, at, text.subarray(at, at + 8));
    expect((await send(8)).status).toBe(200);
    expect((await send(24)).status).toBe(200);
    expect(await send(0)).toMatchObject({ status: 415, body: { code: 'not_a_video' } });
    await waitFor(async () => (await objects(stack, id)).length === 0, { what: 'the objects to be gone' });
    await expectNothingLeft(stack, id);
  });

  it('S3-05 neither does the form’s door take any of them', async () => {
    for (const { name, bytes } of [...TRAPS, ...OTHERS]) {
      expect(codeOf(await post(url, { file: { bytes } })), name).toEqual([415, 'not_a_video']);
    }
    expect(await objects(stack)).toEqual([]);
  });

  it('S3-05 nor does POST /process', async () => {
    for (const { name, bytes } of [...TRAPS, ...OTHERS]) {
      const form = new FormData();
      form.append('video', new Blob([new Uint8Array(bytes)]), 'holiday.mp4');
      const answer = await fetch(`${url}/process`, { method: 'POST', body: form });
      const body = (await answer.json()) as { code?: string };
      expect(codeOf({ status: answer.status, body }), name).toEqual([415, 'not_a_video']);
    }
    expect(await objects(stack)).toEqual([]);
  });

  it('S3-05 nor does tus, with the upload or after it', async () => {
    for (const { name, bytes } of [...TRAPS, ...OTHERS]) {
      const path = await open(url, 90_000);
      const { status, code } = await patch(url, path, 0, bytes);
      expect([status, code], name).toEqual([415, 'not_a_video']);
      expect((await look(url, idOf(path))).body.data).toMatchObject({ error_code: 'not_a_video' });
      const headers = { ...STREAM, ...metadata({ filename: 'clip.mp4' }), 'upload-length': '90000' };
      const atOnce = await tus(url, 'POST', '/files', headers, bytes);
      expect([atOnce.status, atOnce.code], name).toEqual([415, 'not_a_video']);
    }
    expect(await objects(stack)).toEqual([]);
  });

  it('S3-05 an extension that is denied is refused though it is on the list of those allowed', async () => {
    for (const filename of ['clip.avi', 'clip.AVI', 'clip.ogg']) {
      expect(codeOf(await create(url, { filename })), filename).toEqual([415, 'extension_not_allowed']);
    }
    expect((await create(url, { filename: 'clip.mp4' })).status).toBe(201);
  });
});
