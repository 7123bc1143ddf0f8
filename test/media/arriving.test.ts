import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, it } from 'vitest';
import { analyzeSource, NotArrived } from '#media';
import { type Clip, COPIED, fileOf } from '../clips/good.js';
import { serveFolder } from '../verify/serve.js';
import { LIMITS } from './made.js';

it('an MP4 whose index only a demuxer can read is waited for as a whole', async () => {
  const file = await fileOf(COPIED.find(({ name }) => name === 'edit-list') as Clip);
  const bytes = await readFile(file);
  const source = { size: bytes.length, read: async (from: number, to: number) => bytes.subarray(from, to) };
  const served = await serveFolder(path.dirname(file));
  try {
    const refused = await analyzeSource(source, `${served.url}/${path.basename(file)}`, {
      ffprobePath: 'ffprobe',
      limits: LIMITS,
      arrival: 'later',
    }).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(NotArrived);
    expect(refused).toMatchObject({ from: 0, to: bytes.length });
  } finally {
    await served.close();
  }
});
