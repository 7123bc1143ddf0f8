import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readFrames } from '../verify/frames.js';
import { BAD, badFileOf } from './bad.js';
import { fileOf, GOOD } from './good.js';
import { mustRun } from './run.js';

async function probe(file: string, entries: string): Promise<string> {
  return (
    await mustRun('ffprobe', ['-v', 'error', '-show_entries', entries, '-of', 'json', file])
  ).stdout.toString();
}

const good = (name: string) => {
  const found = GOOD.find((clip) => clip.name === name);
  if (!found) throw new Error(`there is no clip ${name}`);
  return fileOf(found);
};

describe('the generated clips', () => {
  it.each(GOOD)('$name shows the number of each frame, in order', async (clip) => {
    const frames = await readFrames(await fileOf(clip));
    const numbers = frames.map((frame) => frame.number);
    expect(numbers.length).toBeGreaterThan(0);
    expect(numbers).not.toContain(null);
    expect([...numbers].sort((a, b) => Number(a) - Number(b))).toEqual(numbers);
    expect(new Set(numbers).size).toBe(numbers.length);
  });

  it.each(BAD)('$name exists', async (bad) => {
    expect(existsSync(await badFileOf(bad))).toBe(true);
  });

  it('the rotated one has a rotation, the interlaced one fields, the ten-bit one ten bits', async () => {
    expect(await probe(await good('rotated-phone'), 'stream_side_data=rotation')).toContain(
      '"rotation": -90',
    );
    expect(await probe(await good('interlaced'), 'stream=field_order')).toContain('"tt"');
    expect(await probe(await good('ten-bit'), 'stream=pix_fmt')).toContain('yuv420p10le');
    expect(await probe(await good('pixels-not-square'), 'stream=sample_aspect_ratio')).toContain('16:15');
  });

  it('the one with a cut has hidden frames, the late one an empty edit', async () => {
    const late = await probe(await good('sound-late'), 'stream=codec_type,start_time');
    expect(late).toMatch(/"audio",\s+"start_time": "0\.[67]/);
    const [hidden, shown] = await Promise.all([
      mustRun('ffprobe', [
        '-v',
        'error',
        '-ignore_editlist',
        '1',
        '-show_entries',
        'packet=pts',
        '-select_streams',
        'v',
        await good('edit-list'),
      ]),
      readFrames(await good('edit-list')),
    ]);
    expect(hidden.stdout.toString().match(/pts=/g)?.length).toBeGreaterThan(shown.length);
  });

  it('the open GOP has key frames that are not IDR', async () => {
    const types = await mustRun('ffmpeg', [
      '-v',
      'trace',
      '-i',
      await good('open-gop'),
      '-c',
      'copy',
      '-bsf:v',
      'trace_headers',
      '-f',
      'null',
      '-',
    ]);
    const idr = types.stderr.match(/nal_unit_type\s+\d+ = 5\b/g)?.length ?? 0;
    const keys = await mustRun('ffprobe', [
      '-v',
      'error',
      '-show_entries',
      'packet=flags',
      '-select_streams',
      'v',
      await good('open-gop'),
    ]);
    expect(idr).toBeLessThan(keys.stdout.toString().match(/flags=K/g)?.length ?? 0);
  });
});
