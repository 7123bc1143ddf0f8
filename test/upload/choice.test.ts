import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  call,
  codeOf,
  create,
  created,
  jobOf,
  put,
  startUploads,
  type UploadStack,
  videoBytes,
} from './support.js';

let stack: UploadStack;
let url: string;
beforeAll(async () => {
  stack = await startUploads();
  url = stack.uploads[0]!;
});
afterAll(() => stack?.stop());

const assetOf = async (session: string) => (await jobOf(stack, session)).asset_id;

async function sent(file: Buffer, options?: Record<string, unknown>): Promise<string> {
  const { session_id: id } = await created(url, { size: file.length, ...(options ? { options } : {}) });
  expect((await put(url, id, 0, file)).status).toBe(200);
  return id;
}

describe('what is to be made of a file', () => {
  it('S0-04 is an enumeration: anything else is refused before there is a session', async () => {
    for (const options of [
      { renditions: ['4320p'] },
      { renditions: [] },
      { audio: 'loud' },
      { subtitles: 'no' },
      { downloads: 'yes' },
    ]) {
      const answer = await create(url, { size: 10, options });
      expect(codeOf(answer)).toEqual([400, 'invalid_options']);
    }
    const form = new FormData();
    form.append('options', '{"renditions":["x"]}');
    form.append('file', new Blob([new Uint8Array(videoBytes(100))]), 'a.mp4');
    const answer = await call(url, 'POST', '', { body: form });
    expect([answer.status, answer.body.code]).toEqual([400, 'invalid_options']);
    expect(await stack.query('SELECT 1 FROM upload_sessions')).toEqual([]);
  });

  it('S3-08 is of a profile that is there, named once, and another profile is another asset', async () => {
    for (const [wish, said] of [
      [{ profile: 'vp9' }, [400, 'unknown_profile']],
      [{ options: { profile: '__proto__' } }, [400, 'unknown_profile']],
      [{ options: { profile: ['hevc'] } }, [400, 'unknown_profile']],
      [{ profile: 'a;b' }, [400, 'validation_failed']],
      [{ profile: 'hevc', options: { profile: 'av1' } }, [400, 'invalid_options']],
    ] as const) {
      expect(codeOf(await create(url, { size: 10, ...wish }))).toEqual(said);
    }
    const file = videoBytes(3000);
    const usual = await sent(file);
    const hevc = await sent(file, { profile: 'hevc' });
    const { session_id: named } = await created(url, { size: file.length, profile: 'hevc' });
    expect((await put(url, named, 0, file)).status).toBe(200);
    const [a, b, c] = await Promise.all([usual, hevc, named].map(assetOf));
    expect(a).not.toBe(b);
    expect(c).toBe(b);
  });

  it('S3-08 is part of what makes two uploads the same', async () => {
    const file = videoBytes(2000);
    const whole = await sent(file);
    const some = await sent(file, { renditions: ['720p', '360p'], audio: 'default' });
    const same = await sent(file, { audio: 'default', renditions: '360p,720p', note: 'another' });
    const again = await sent(file, { audio: 'all', subtitles: true });
    const [a, b, c, d] = await Promise.all([whole, some, same, again].map(assetOf));
    expect(new Set([a, b])).toHaveLength(2);
    expect([c, d]).toEqual([b, a]);
  });

  it('must be known before the file comes, because its work begins with it', async () => {
    const form = new FormData();
    form.append('file', new Blob([new Uint8Array(videoBytes(9000))]), 'a.mp4');
    form.append('options', '{"renditions":["240p"]}');
    const answer = await call(url, 'POST', '', { body: form });
    expect([answer.status, answer.body.code]).toEqual([400, 'invalid_options']);
  });
});
