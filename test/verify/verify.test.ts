import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fileOf, GOOD } from '../clips/good.js';
import { mustRun } from '../clips/run.js';
import { boxes } from './boxes.js';
import { serveFolder } from './serve.js';
import { type Expectation, verifyStream } from './stream.js';

/** A stream that ffmpeg's own HLS muxer writes, so that good is not what we say is good. */
const RENDITIONS = {
  '360p': ['-map', '0:v', '-vf', 'scale=640:360'],
  '240p': ['-map', '0:v', '-vf', 'scale=426:240'],
  audio: ['-map', '0:a', '-c:a', 'copy'],
};
const MASTER = `#EXTM3U
#EXT-X-VERSION:7
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="sound",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="1",URI="audio/index.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=3000000,AVERAGE-BANDWIDTH=900000,CODECS="avc1.42c01e,mp4a.40.2",RESOLUTION=640x360,FRAME-RATE=24.000,AUDIO="audio"
360p/index.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=2000000,AVERAGE-BANDWIDTH=600000,CODECS="avc1.42c015,mp4a.40.2",RESOLUTION=426x240,FRAME-RATE=24.000,AUDIO="audio"
240p/index.m3u8
`;

let folder: string;
let source: string;
let served: Awaited<ReturnType<typeof serveFolder>>;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'sluice-verify-'));
  const fit = GOOD.find((clip) => clip.name === 'fit');
  if (!fit) throw new Error('there is no fit clip');
  source = await fileOf(fit);
  for (const [name, how] of Object.entries(RENDITIONS)) {
    await mkdir(path.join(folder, 'good', name), { recursive: true });
    await mustRun('ffmpeg', [
      ...['-nostdin', '-v', 'error', '-i', source, ...how, '-c:v', 'libx264', '-preset', 'ultrafast'],
      ...['-force_key_frames', 'expr:gte(t,n_forced*2)', '-g', '1000', '-sc_threshold', '0'],
      ...['-f', 'hls', '-hls_time', '2', '-hls_playlist_type', 'vod', '-hls_segment_type', 'fmp4'],
      ...['-hls_flags', 'independent_segments', '-hls_fmp4_init_filename', 'init.mp4'],
      ...['-hls_segment_filename', path.join(folder, 'good', name, 'seg_%d.m4s')],
      path.join(folder, 'good', name, 'index.m3u8'),
    ]);
  }
  await writeFile(path.join(folder, 'good', 'master.m3u8'), MASTER);
  served = await serveFolder(folder);
}, 60_000);

afterAll(async () => {
  await served?.close();
  await rm(folder, { recursive: true, force: true });
});

/** What the check says of a copy of the good stream that `harm` has been done to. */
async function problemsAfter(
  name: string,
  harm: (at: (file: string) => string) => Promise<void>,
): Promise<string> {
  const copy = path.join(folder, name);
  await cp(path.join(folder, 'good'), copy, { recursive: true });
  await harm((file) => path.join(copy, file));
  return (await check(name)).problems.join('\n');
}

const check = (name: string, expected: Expectation = {}) =>
  verifyStream(
    { hls: `${served.url}/${name}/master.m3u8` },
    { source, aspect: 16 / 9, sound: true, ...expected },
  );

async function edit(file: string, change: (bytes: Buffer) => Buffer | string): Promise<void> {
  await writeFile(file, change(await readFile(file)));
}

const without = (text: string, pattern: RegExp) => (bytes: Buffer) => {
  const before = bytes.toString();
  const after = before.replace(pattern, text);
  if (after === before) throw new Error(`${pattern} does not match:\n${before}`);
  return after;
};

/** Adds ticks to the tfdt of a segment. */
function shift(ticks: number): (bytes: Buffer) => Buffer {
  return (bytes) => {
    const at = bytes.indexOf('tfdt', 0, 'latin1') + 8;
    bytes.writeBigUInt64BE(bytes.readBigUInt64BE(at) + BigInt(ticks), at);
    return bytes;
  };
}

describe('the verifier', () => {
  it('finds nothing wrong with a good stream', async () => {
    const verified = await check('good');
    expect(verified.problems).toEqual([]);
    expect(verified.videos).toEqual(['360p', '240p']);
    expect(verified.extents).toHaveLength(3);
  });

  it('notices a segment that is listed and not there', async () => {
    expect(await problemsAfter('gone', (at) => rm(at('240p/seg_1.m4s')))).toMatch(/seg_1\.m4s answered 404/);
  });

  it('notices a segment that was left out', async () => {
    const said = await problemsAfter('left-out', (at) =>
      edit(at('240p/index.m3u8'), without('', /#EXTINF:[\d.]+,\s+seg_1\.m4s\n/)),
    );
    expect(said).toMatch(/a gap of \d+ ticks/);
    expect(said).toMatch(/240p has 3 segments, 360p has 4|240p has \d segments/);
    expect(said).toMatch(/frame 48 of the source is there 0 times/);
  });

  it('notices a decode time that was moved', async () => {
    const said = await problemsAfter('moved', (at) => edit(at('240p/seg_2.m4s'), shift(512)));
    expect(said).toMatch(/240p, segment 2: a gap of 512 ticks/);
    expect(said).toMatch(/segment 2 begins at/);
  });

  it('notices a decode time that wrapped around', async () => {
    const said = await problemsAfter('wrapped', (at) =>
      edit(at('audio/seg_0.m4s'), (bytes) => {
        bytes.writeBigUInt64BE(2n ** 64n - 1024n, bytes.indexOf('tfdt', 0, 'latin1') + 8);
        return bytes;
      }),
    );
    expect(said).toMatch(/wrapped around/);
  });

  it('notices a segment that does not begin with a key frame', async () => {
    const said = await problemsAfter('no-key', async (at) => {
      await edit(at('240p/seg_1.m4s'), (bytes) => {
        const mdat = boxes(bytes).find((box) => box.type === 'mdat');
        if (!mdat) throw new Error('no mdat');
        // The first slice's NAL header: IDR (5) becomes an ordinary slice (1).
        const data = mdat.start + 8;
        bytes.writeUInt8((bytes.readUInt8(data + 4) & 0xe0) | 1, data + 4);
        return bytes;
      });
    });
    expect(said).toMatch(/240p, segment 1 does not begin with an IDR or key frame/);
  });

  it('notices playlists that say what is not so', async () => {
    const said = await problemsAfter('untrue', async (at) => {
      await edit(at('master.m3u8'), (bytes) =>
        without(
          'BANDWIDTH=1000,',
          /BANDWIDTH=3000000,/,
        )(Buffer.from(without('avc1.64001f', /avc1\.42c015/)(bytes))),
      );
      await edit(at('360p/index.m3u8'), without('#EXTINF:2.500000,', /#EXTINF:2\.000000,/));
      await edit(at('240p/index.m3u8'), without('', /#EXT-X-ENDLIST\n/));
    });
    expect(said).toMatch(/BANDWIDTH 1000 is below the peak/);
    expect(said).toMatch(/CODECS says avc1\.64001f/);
    expect(said).toMatch(/EXTINF adds up to 2\.5/);
    expect(said).toMatch(/240p: EXT-X-ENDLIST is missing/);
  });

  it('notices sound that ends early', async () => {
    const said = await problemsAfter('short-sound', (at) =>
      edit(at('audio/index.m3u8'), without('', /#EXTINF:[\d.]+,\s+seg_3\.m4s\n/)),
    );
    expect(said).toMatch(/audio has its end at .* ms apart/);
  });

  it('notices another picture, another shape, and sound that should not be', async () => {
    const other = GOOD.find((clip) => clip.name === 'portrait');
    const said = await check('good', {
      source: other && (await fileOf(other)),
      aspect: 240 / 426,
      sound: false,
    });
    expect(said.problems.join('\n')).toMatch(/has 168 frames, the source 75/);
    expect(said.problems.join('\n')).toMatch(/640x360, 0\.563 : 1 expected/);
    expect(said.problems.join('\n')).toMatch(/the source has no sound/);
    const pictures = await check('good', { source: other && (await fileOf(other)), frames: 'pictures' });
    expect(pictures.problems.join('\n')).toMatch(/is not the source's/);
  });

  it('tells pictures that are the source from those that are not', async () => {
    expect((await check('good', { frames: 'pictures' })).problems).toEqual([]);
    expect(await readdir(path.join(folder, 'good'))).toContain('master.m3u8');
  });
});
