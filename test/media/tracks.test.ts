import path from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { audioRun, cutSubtitles, languageOf, planJob, titleOf, trackNames } from '#media';
import { makeFile } from '../clips/make.js';
import { mustRun } from '../clips/run.js';
import { spoken } from '../clips/spoken.js';
import { analysis, options } from './analysis.js';
import { planned } from './made.js';

const words = { language: null, title: null, role: 'alternate' as const };
const other = (index: number, change = {}) => ({
  ...analysis().audio!,
  ...words,
  index,
  id: index,
  ...change,
});
const spokenSource = analysis({
  copyObstacle: 'because',
  otherAudio: [other(2, { language: 'fr' }), other(3, { channels: 1 })],
  subtitles: [{ ...words, index: 4, role: 'subtitle', language: 'en' }],
});

describe('planning tracks', () => {
  it('S1-08 every audio track is a rendition, the default one alone in the start set', () => {
    const plan = planJob(spokenSource, options);
    const tracks = plan.renditions.filter((r) => r.kind !== 'video');
    expect(tracks.map((r) => [r.name, r.kind, r.language, r.channels, r.isDefault, r.inStartSet])).toEqual([
      ['audio', 'audio', 'de', 2, true, true],
      ['audio-2', 'audio', 'fr', 2, false, false],
      ['audio-3', 'audio', null, 1, false, false],
      ['subtitles', 'subtitles', 'en', null, false, false],
    ]);
    expect(plan.tracks?.audio.map((t) => [t.name, t.streamIndex])).toEqual([
      ['audio', 1],
      ['audio-2', 2],
      ['audio-3', 3],
    ]);
  });

  it('each of the others is a follower of its own that waits for the start span; text waits for the whole file', () => {
    const { spans, borders } = planJob(spokenSource, options);
    const start = spans.findIndex((s) => s.kind === 'video');
    const whole = [0, borders.length - 1, start];
    expect(
      spans
        .filter((s) => /audio-|subtitles/.test(s.renditions.join()))
        .map((s) => [s.kind, s.renditions, s.firstSegment, s.segmentCount, s.waitsFor]),
    ).toEqual([
      ['audio', ['audio-2'], ...whole],
      ['audio', ['audio-3'], ...whole],
      ['subtitles', ['subtitles'], 0, 1, start],
    ]);
    expect(spans.find((s) => s.kind === 'subtitles')?.bytes).toBeNull();
  });

  it('is bounded by what is configured and by the eight names that there are', () => {
    const many = analysis({
      otherAudio: Array.from({ length: 20 }, (_, i) => other(i + 2)),
      subtitles: Array.from({ length: 20 }, (_, i) => ({ ...words, index: i + 30 })),
    });
    const count = (limits = {}) => {
      const { renditions } = planJob(many, { ...options, ...limits });
      return ['audio', 'subtitles'].map((kind) => renditions.filter((r) => r.kind === kind).length);
    };
    expect(count()).toEqual([8, 8]);
    expect(count({ audioTracks: 1, subtitleTracks: 0 })).toEqual([1, 0]);
    const leftOut = (limits = {}) => planJob(many, { ...options, ...limits }).tracks?.leftOut;
    expect(leftOut()).toEqual({ audio: 13, subtitles: 12 });
    expect(leftOut({ audioTracks: 3 })).toEqual({ audio: 18, subtitles: 12 });
    expect(leftOut({ audioTracks: 1, subtitleTracks: 0 })).toEqual({ audio: 0, subtitles: 0 });
  });
});

describe('what a file says of its tracks', () => {
  it.each([
    ['ger', 'de'],
    ['deu', 'de'],
    ['FRE', 'fr'],
    ['pt-BR', 'pt-BR'],
    ['gsw', 'gsw'],
    ['und', null],
    ['', null],
    ['en",URI="x', null],
    [`a${'-b'.repeat(40)}`, null],
  ])('language %j is %j in BCP 47', (tag, expected) => expect(languageOf(tag)).toBe(expected));

  it('titles are one short line without characters that hide or turn others', () => {
    expect(titleOf(' Director’s\u202E\n\0cut\u200B ')).toBe('Director’s cut');
    expect(titleOf('x'.repeat(5000))).toHaveLength(60);
    expect(titleOf('SoundHandler')).toBeNull();
    expect(titleOf(' \uD800 ')).toBeNull();
  });

  it('menus never show one name twice', () => {
    const named = (title: string | null, language: string | null) => ({ name: 'audio', title, language });
    expect(trackNames([named(null, 'de'), named('Deutsch', 'en'), named(null, null)])).toEqual([
      'Deutsch',
      'Deutsch (2)',
      'audio',
    ]);
  });

  it.each([
    {
      file: 'spoken.mov',
      seconds: 2,
      textCodecs: ['mov_text', 'mov_text'],
      muxer: ['-movflags', '+faststart'],
    },
    { file: 'spoken.ts', seconds: 2, textCodecs: [] },
  ])('is read from $file', async (making) => {
    await planned(await spoken(making), async ({ tracks, renditions }) => {
      expect(tracks?.audio).toHaveLength(3);
      const languages = (kind: string) => renditions.filter((r) => r.kind === kind).map((r) => r.language);
      // Transport streams have no default track: the first one is.
      expect(languages('audio')).toEqual(
        making.file.endsWith('ts') ? ['de', 'en', 'ja'] : ['en', 'de', 'ja'],
      );
      expect(languages('subtitles')).toEqual(making.textCodecs.length > 0 ? ['en', 'de'] : []);
    });
  });
});

/** What comes out of ffmpeg's text, zero at 10 s and 60 s long. */
async function cut(text: string | Buffer[]): Promise<string> {
  let out = '';
  const sink = {
    init: async () => undefined,
    begin: async () => undefined,
    write: async (bytes: Buffer) => {
      out += bytes.toString();
    },
    end: async (times: object) => expect(times).toEqual({ start: 0, duration: 60_000 }),
  };
  const stream = Readable.from(typeof text === 'string' ? [Buffer.from(text)] : text);
  await cutSubtitles(stream, { zeroSeconds: 10, durationSeconds: 60 }, sink);
  return out;
}
const HEAD = 'WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n';

describe('subtitles', () => {
  it('count from the plan’s zero, in order, and nothing outlasts the pictures', async () => {
    const text =
      'WEBVTT\n\n00:30.000 --> 01:20.000\nlate\n\n00:12.500 --> 00:14.000 align:start\nfirst\nsecond line\n\n' +
      '00:05.000 --> 00:09.000\nbefore\n\n01:15.000 --> 01:16.000\nafter\n';
    expect(await cut(text)).toBe(
      `${HEAD}\n00:00:02.500 --> 00:00:04.000\nfirst\nsecond line\n\n00:00:20.000 --> 00:01:00.000\nlate\n`,
    );
  });

  it('have no tags but bold, italic and underlined, no arrows, no headers, no control characters', async () => {
    const hostile = '<script>x</script> <i>a</i> & &amp; --> <c.x>\0\u001B[0m\u2028';
    expect(
      await cut(`WEBVTT\nSTYLE\n::cue{}\n\n00:11.000 --> 00:12.000\n${hostile}\n\nNOTE no\n\nREGION\nid:x\n`),
    ).toBe(
      `${HEAD}\n00:00:01.000 --> 00:00:02.000\n&lt;script&gt;x&lt;/script&gt; <i>a</i> &amp; &amp; --&gt; &lt;c.x&gt;[0m\u2028\n`,
    );
  });

  it('are bounded in number and in size, and broken text is survived', async () => {
    const cue = `00:11.000 --> 00:12.000\n${'x'.repeat(100)}\n\n`;
    const many = await cut(Array.from({ length: 300 }, () => Buffer.from(cue.repeat(100))));
    expect(many.match(/-->/g)).toHaveLength(20_000);
    expect((await cut(`00:11.000 --> 00:12.000\n${'y'.repeat(1_000_000)}`)).length).toBeLessThan(2000);
    expect(await cut([Buffer.from([0xff, 0xfe, 0x00]), Buffer.alloc(100_000, 0x41)])).toBe(HEAD);
  });
});

describe('what discs, broadcasts and cameras hold', () => {
  const files: [name: string, options: string[]][] = [
    ['dts.mkv', ['-c:v', 'mpeg2video', '-c:a', 'dca', '-strict', '-2']],
    ['truehd.mkv', ['-c:v', 'libx264', '-c:a', 'truehd', '-strict', '-2']],
    ['latm.ts', ['-c:v', 'libx264', '-c:a', 'aac', '-mpegts_flags', 'latm']],
    ['dnxhr.mov', ['-c:v', 'dnxhd', '-profile:v', 'dnxhr_lb', '-pix_fmt', 'yuv422p', '-c:a', 'pcm_f32be']],
    ['animation.mov', ['-c:v', 'qtrle', '-c:a', 'pcm_s8']],
  ];

  it.each(files)('is decoded: %s', async (file, codecs) => {
    const inputs = ['testsrc2=s=320x180:r=25:d=1', 'sine=r=48000:d=1'].flatMap((from) => [
      '-f',
      'lavfi',
      '-i',
      from,
    ]);
    const source = await makeFile({ file, steps: [[...inputs, '-ac', '2', ...codecs, '%out']] });
    await planned(source, async (plan, url, dir) => {
      expect(plan.renditions.map((r) => r.name)).toContain('audio');
      const target = path.join(dir, 'audio.mp4');
      await mustRun('ffmpeg', audioRun(plan, url, target));
      const { stdout } = await mustRun('ffprobe', [
        '-v',
        'error',
        '-show_entries',
        'stream=codec_name',
        '-of',
        'csv=p=0',
        target,
      ]);
      expect(stdout.toString().trim()).toBe('aac');
    });
  });
});
