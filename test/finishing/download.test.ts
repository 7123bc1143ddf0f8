import { readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Download } from '#contracts';
import { type Stack, startStack, waitFor } from '#testing';
import { COPIED, fileOf, SHAPED, TIMED } from '../clips/good.js';
import { jobOf, MANY_SPANS, mustComplete, upload, waitUntilClean } from '../pipeline/harness.js';
import { holdFinishing } from './held.js';
import { downloadsOf, expectSameAsStream } from './mp4-file.js';

const PATIENCE = 120_000;
const clipOf = (name: string) => [...TIMED, ...SHAPED, ...COPIED].find((clip) => clip.name === name)!;

let stack: Stack;
let served: Download | null = null;
beforeAll(async () => {
  stack = await startStack({ env: { ...MANY_SPANS, DOWNLOADS: 'top' } });
});
afterAll(() => stack?.stop());

const at = (url: string) => new URL(url, stack.urls.gateway).href;
const finished = async (name: string, options?: Record<string, unknown>) =>
  mustComplete(stack, await upload(stack, await fileOf(clipOf(name)), undefined, options), PATIENCE);

describe('a rendition as one MP4', { timeout: PATIENCE }, () => {
  it('S4-05 has the frames, the sound and the times of its stream, copied or encoded, and its index in front', async () => {
    const [fit, silent] = await Promise.all([
      finished('fit', { downloads: 'all' }),
      finished('no-sound', { downloads: ['1080p'] }),
    ]);
    expect(fit.renditions.map(({ mode }) => mode)).toEqual(['copy', 'encode', 'encode']);
    expect(downloadsOf(fit).map(({ name }) => name)).toEqual(['360p', '240p']);
    expect(downloadsOf(silent).map(({ name }) => name)).toEqual(['240p']);
    for (const download of downloadsOf(fit)) await expectSameAsStream(stack, fit, download, true);
    await expectSameAsStream(stack, silent, downloadsOf(silent)[0]!, false);
    expect([...fit.warnings, ...silent.warnings]).toEqual([]);
    served = downloadsOf(silent)[0]!;
  });

  it('is served with ranges, and saved under the name that its address asks for', async () => {
    const { url, bytes } = served!;
    const part = await fetch(at(url), { headers: { range: `bytes=4-7` } });
    expect([part.status, part.headers.get('content-range'), await part.text()]).toEqual([
      206,
      `bytes 4-7/${bytes}`,
      'ftyp',
    ]);
    const played = await fetch(at(url), { method: 'HEAD' });
    expect(Object.fromEntries(played.headers)).toMatchObject({
      'content-type': 'video/mp4',
      'content-length': String(bytes),
      'cache-control': 'public, max-age=31536000, immutable',
    });
    expect(played.headers.get('content-disposition')).toBeNull();
    for (const [wanted, header] of [
      ['Ferien 240p.mp4', `attachment; filename="Ferien 240p.mp4"; filename*=UTF-8''Ferien%20240p.mp4`],
      ['été', `attachment; filename="_t_.mp4"; filename*=UTF-8''%C3%A9t%C3%A9.mp4`],
      [
        '../a"\r\nSet-Cookie: b\u202e',
        `attachment; filename="aSet-Cookie b.mp4"; filename*=UTF-8''aSet-Cookie%20b.mp4`,
      ],
      ['', `attachment; filename="video.mp4"; filename*=UTF-8''video.mp4`],
    ] as const) {
      const answer = await fetch(`${at(url)}?filename=${encodeURIComponent(wanted)}`, { method: 'HEAD' });
      expect(answer.headers.get('content-disposition')).toBe(header);
    }
  });

  it('a process that is killed with it leaves no second one and no rubbish', async () => {
    const letGo = await holdFinishing(stack, 'download');
    let ids = { session: '', job: '' };
    await upload(stack, await fileOf(clipOf('ntsc-rate')), (session) => {
      ids = session;
    });
    const asset = path.dirname((await playable(ids.job))!);
    const folder = path.join(stack.storageDir, asset, '240p');
    const files = async () => (await readdir(folder)).filter((name) => name.startsWith('download-'));
    await waitFor(async () => (await files()).length === 1, { what: 'the file to be stored' });
    await stack.kill('transcode');
    // What a process of an earlier version, or one that was cut off from its rows, may have left.
    await writeFile(path.join(folder, 'download-00000000.mp4'), 'rubbish');
    await stack.query(`UPDATE finishing_tasks SET attempts = 0, status = 'running', lease_number = 7,
      lease_expires_at = now() WHERE job_id = '${ids.job}'`);
    await letGo();
    await stack.restart('transcode');
    const job = await mustComplete(stack, ids.job, PATIENCE);
    const [download] = downloadsOf(job);
    expect(await files()).toEqual([path.basename(download!.url)]);
    await expectSameAsStream(stack, job, download!, true);
    expect(job.warnings).toEqual([]);
  });

  it('S3-03 of a job that is cancelled meanwhile nothing is left', async () => {
    const letGo = await holdFinishing(stack, 'download');
    let ids = { session: '', job: '' };
    await upload(stack, await fileOf(clipOf('portrait')), (session) => {
      ids = session;
    });
    await playable(ids.job);
    await fetch(`${stack.urls.upload}/v1/upload/video/session/${ids.session}`, { method: 'DELETE' });
    await letGo();
    await waitUntilClean(stack, ids);
  });

  it('is given up with a warning when a segment of it cannot be read, and the stream stays whole', async () => {
    await stack.query(`CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      UPDATE segments SET storage_path = storage_path || '.gone' WHERE segment_index = 0 AND rendition_id IN
        (SELECT id FROM renditions WHERE job_id = NEW.job_id AND name = '240p');
      RETURN NEW; END $$`);
    await stack.query(
      `CREATE TRIGGER lose BEFORE INSERT ON finishing_tasks FOR EACH ROW EXECUTE FUNCTION lose()`,
    );
    const id = await upload(stack, await fileOf(clipOf('tiny')));
    await waitFor(
      async () =>
        (await stack.query(`SELECT 1 FROM finishing_tasks WHERE job_id = '${id}' AND status = 'failed'`))[0],
      { what: 'the task to be given up' },
    );
    await stack.query('DROP TRIGGER lose ON finishing_tasks');
    const job = await mustComplete(stack, id, PATIENCE);
    expect(downloadsOf(job)).toEqual([]);
    expect(job.warnings).toEqual([{ code: 'download_failed', message: expect.any(String) }]);
  });
});

/** No download counts before this is taken off again. */
const playable = (id: string) =>
  waitFor(async () => (await jobOf(stack, id)).playback.hls, {
    what: 'the finished playlists',
    timeoutMs: 40_000,
  });
