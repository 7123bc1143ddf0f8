import { mkdir, open, readdir } from 'node:fs/promises';
import path from 'node:path';
import { expect, it } from 'vitest';
import { exposeMetrics, openMetrics } from '#observability';
import { openStore } from '#storage';
import { testDir } from '#testing';
import { DownloadMaker } from '../../apps/transcode/src/finishing/download-maker.js';
import type { ClaimedTask } from '../../apps/transcode/src/finishing/finishing.repository.js';
import { StallWatch } from '../../apps/transcode/src/finishing/stall-watch.js';
import type { StoredMedia } from '../../apps/transcode/src/finishing/stored-media.js';
import { run } from '../clips/run.js';

const QUICK = { FFMPEG_STALL_GRACE_SECONDS: 0.1, FFMPEG_STALL_SECONDS: 0.2 };

it('S4-04 S4-06 a download from a store that hangs is given up, counted, and says how long it stood still', async () => {
  const dir = await testDir('hanging-store');
  const store = await openStore({ STORAGE_DRIVER: 'directory', STORAGE_DIR: dir });
  await mkdir(path.join(dir, 'media'));
  // Whoever opens it waits for a writer: as a file of a server that has gone away does.
  const hanging = path.join(dir, 'media/hanging.mp4');
  expect((await run('mkfifo', [hanging])).code).toBe(0);
  const rows = {
    movie: async () => [{ id: 'a', name: '240p', initKey: 'media/hanging.mp4', initSize: 100 }],
    segments: async () => [],
  } as unknown as StoredMedia;
  openMetrics('transcode');
  const maker = new DownloadMaker(QUICK as never, store, rows);
  const task = { jobId: 'j', assetId: 'a', params: { rendition: '240p' } } as unknown as ClaimedTask;
  try {
    await expect(maker.make(task, new AbortController().signal)).rejects.toMatchObject({
      code: 'encode_stalled',
      details: { stalled_ms: expect.any(Number) },
    });
    const { text } = await exposeMetrics();
    expect(text).toContain('sluice_vod_remux_stalls_total{strategy="default"} 1');
    expect(await readdir(path.join(dir, 'media'))).toEqual(['hanging.mp4']);
  } finally {
    // Lets the waiting thread go.
    await (await open(hanging, 'r+')).close();
  }
});

it('S4-02 a job that ends is no stall', async () => {
  const job = new AbortController();
  const watch = new StallWatch({ graceMs: 60_000, stallMs: 60_000 }, job.signal);
  const work = watch.during(new Promise(() => undefined));
  job.abort(new Error('the job has ended'));
  await expect(work).rejects.toThrow('the job has ended');
  watch.stop();
  expect(watch.stalled).toBeNull();
});
