import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { expect, it } from 'vitest';
import { analyzeSource, NotArrived } from '#media';
import { type Clip, COPIED, fileOf } from '../clips/good.js';
import { spoken } from '../clips/spoken.js';
import { serveFolder } from '../verify/serve.js';
import { LIMITS } from './made.js';

/** As a source that is on its way for longer, of which what is asked for happens to be here. */
async function analyzed(file: string) {
  const bytes = await readFile(file);
  const source = { size: bytes.length, read: async (from: number, to: number) => bytes.subarray(from, to) };
  const served = await serveFolder(path.dirname(file));
  try {
    return await analyzeSource(source, `${served.url}/${path.basename(file)}`, {
      ffprobePath: 'ffprobe',
      limits: LIMITS,
      arrival: 'later',
      openingSeconds: 1,
    }).catch((error: unknown) => error);
  } finally {
    await served.close();
  }
}

it('an MP4 whose index only a demuxer can read is waited for as a whole', async () => {
  const file = await fileOf(COPIED.find(({ name }) => name === 'edit-list') as Clip);
  const refused = await analyzed(file);
  expect(refused).toBeInstanceOf(NotArrived);
  expect(refused).toMatchObject({ from: 0, to: (await stat(file)).size });
});

it('S4-08 tracks of text do not keep a Matroska file from being planned as it arrives', async () => {
  const file = await spoken({ file: 'spoken.mkv', seconds: 3, textCodecs: ['subrip', 'ass'] });
  expect(await analyzed(file)).toMatchObject({ container: 'matroska' });
});
