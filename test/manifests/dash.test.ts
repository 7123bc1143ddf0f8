import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DashRendition, type DashSegment, staticMpd } from '#media';
import { launch } from '../browser/chromium.js';

const run = promisify(execFile);

const video: DashRendition = {
  name: '240p',
  kind: 'video',
  width: 320,
  height: 240,
  fpsNum: 25,
  fpsDen: 1,
  codecs: 'avc1.42c00d',
  language: null,
  title: null,
  role: null,
  channels: null,
  peakBitrate: 100_000.4,
  timescale: 12_800,
  initUri: 'init-aaaaaaaa.mp4',
  segments: () => [
    { uri: 'seg_0000-a.m4s', startTicks: 0, durationTicks: 12_800 },
    { uri: 'seg_0001-b.m4s', startTicks: 12_800, durationTicks: 12_800 },
    { uri: 'seg_0002-c.m4s', startTicks: 25_600, durationTicks: 512 },
  ],
};
const audio: DashRendition = {
  ...video,
  name: 'audio',
  kind: 'audio',
  width: null,
  height: null,
  fpsNum: null,
  fpsDen: null,
  codecs: 'mp4a.40.2',
  language: 'de',
  channels: 2,
  timescale: 48_000,
};

async function textOf(parts: AsyncIterable<string>): Promise<string> {
  let text = '';
  for await (const part of parts) text += part;
  return text;
}

describe('the static MPD', () => {
  it('S1-08 says what every rendition is and where its segments are', async () => {
    const text = await textOf(staticMpd({ duration: 2.04, minBufferTime: 4, renditions: [video, audio] }));
    expect(text).toBe(`<?xml version="1.0" encoding="UTF-8"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:isoff-main:2011" type="static" mediaPresentationDuration="PT2.04S" minBufferTime="PT4S">
  <Period id="0" start="PT0S">
    <AdaptationSet id="0" contentType="video" mimeType="video/mp4" segmentAlignment="true" startWithSAP="1">
      <Representation id="240p" bandwidth="100001" codecs="avc1.42c00d" width="320" height="240" frameRate="25" sar="1:1">
        <BaseURL>240p/</BaseURL>
        <SegmentList timescale="12800">
          <Initialization sourceURL="init-aaaaaaaa.mp4"/>
          <SegmentTimeline>
            <S t="0" d="12800"/>
            <S d="12800"/>
            <S d="512"/>
          </SegmentTimeline>
          <SegmentURL media="seg_0000-a.m4s"/>
          <SegmentURL media="seg_0001-b.m4s"/>
          <SegmentURL media="seg_0002-c.m4s"/>
        </SegmentList>
      </Representation>
    </AdaptationSet>
    <AdaptationSet id="1" contentType="audio" mimeType="audio/mp4" lang="de" segmentAlignment="true" startWithSAP="1">
      <Representation id="audio" bandwidth="100001" codecs="mp4a.40.2">
        <AudioChannelConfiguration schemeIdUri="urn:mpeg:dash:23003:3:audio_channel_configuration:2011" value="2"/>
        <BaseURL>audio/</BaseURL>
        <SegmentList timescale="48000">
          <Initialization sourceURL="init-aaaaaaaa.mp4"/>
          <SegmentTimeline>
            <S t="0" d="12800"/>
            <S d="12800"/>
            <S d="512"/>
          </SegmentTimeline>
          <SegmentURL media="seg_0000-a.m4s"/>
          <SegmentURL media="seg_0001-b.m4s"/>
          <SegmentURL media="seg_0002-c.m4s"/>
        </SegmentList>
      </Representation>
    </AdaptationSet>
  </Period>
</MPD>
`);
  });

  it('tells where a segment does not follow on the one before', async () => {
    const segments = () => [
      { uri: 'a', startTicks: 100, durationTicks: 10 },
      { uri: 'b', startTicks: 120, durationTicks: 10 },
    ];
    const text = await textOf(
      staticMpd({ duration: 1, minBufferTime: 1, renditions: [{ ...video, segments }] }),
    );
    expect(text).toContain('<S t="100" d="10"/>\n            <S t="120" d="10"/>');
  });

  it('cannot be broken out of by what a file says of itself', async () => {
    const language = '"><x>&\u0000';
    const text = await textOf(
      staticMpd({ duration: 1, minBufferTime: 1, renditions: [video, { ...audio, language }] }),
    );
    expect(text).toContain('lang="&quot;&gt;&lt;x&gt;&amp;"');
  });
});

describe('a presentation of tiny segments', () => {
  let dir: string;
  let close: () => void;
  let base: string;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'sluice-mpd-'));
    const renditions = [await cut(dir, '240p'), await cut(dir, 'audio')];
    const parts = staticMpd({ duration: 3.04, minBufferTime: 1, renditions });
    await writeFile(join(dir, 'manifest.mpd'), await textOf(parts));
    const server = createServer(async (request, response) => {
      const path = decodeURIComponent(new URL(request.url ?? '/', 'http://x').pathname);
      const file =
        path === '/dash.js' ? join('node_modules/dashjs/dist/modern/umd/dash.all.min.js') : join(dir, path);
      const types: Record<string, string> = { '.mpd': 'application/dash+xml', '.js': 'text/javascript' };
      try {
        response.setHeader(
          'content-type',
          path === '/' ? 'text/html' : (types[extname(path)] ?? 'video/mp4'),
        );
        response.end(path === '/' ? PAGE : await readFile(file));
      } catch {
        response.writeHead(404).end();
      }
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    close = () => server.close();
  });
  afterAll(async () => {
    close?.();
    await rm(dir, { recursive: true, force: true });
  });

  it('S1-08 is decoded whole by ffmpeg, without a complaint', async () => {
    const { stderr } = await run('ffmpeg', [
      '-v',
      'warning',
      '-i',
      `${base}/manifest.mpd`,
      '-map',
      '0',
      '-f',
      'null',
      '-',
    ]);
    expect(stderr).toBe('');
    const { stdout } = await run('ffprobe', [
      ...['-v', 'error', '-count_packets', '-of', 'csv=p=0'],
      ...['-show_entries', 'stream=codec_type,nb_read_packets', join(dir, 'manifest.mpd')],
    ]);
    expect(stdout).toMatch(/video,76\n/);
  });

  it('S1-08 is played to its end by dash.js in Chromium', async () => {
    const browser = await launch();
    try {
      const page = await browser.newPage();
      await page.goto(base);
      const outcome = await page.waitForFunction('window.outcome', undefined, { timeout: 60_000 });
      expect(await outcome.jsonValue()).toEqual({ ended: true, errors: [] });
    } finally {
      await browser.close();
    }
  });
});

const PAGE = `<!doctype html><video muted></video><script src="/dash.js"></script><script>
const video = document.querySelector('video'); const errors = [];
const player = dashjs.MediaPlayer().create();
player.on('error', (e) => { errors.push(String(e.error?.message ?? e.error)); window.outcome = { ended: false, errors }; });
player.initialize(video, '/manifest.mpd', true);
video.addEventListener('ended', () => { window.outcome = { ended: video.currentTime > 3, errors }; });
</script>`;

/** One-second segments of 3.04 s; ffmpeg's HLS muxer cuts them, its playlist says how long they are. */
async function cut(dir: string, name: '240p' | 'audio'): Promise<DashRendition> {
  const folder = join(dir, name);
  await mkdir(folder);
  const picture = [
    ...['-f', 'lavfi', '-i', 'testsrc2=s=320x240:r=25:d=3.04'],
    ...[
      '-c:v',
      'libx264',
      '-preset',
      'ultrafast',
      '-profile:v',
      'baseline',
      '-g',
      '25',
      '-sc_threshold',
      '0',
    ],
  ];
  const sound = ['-f', 'lavfi', '-i', 'sine=r=48000:d=3.04', '-ac', '2', '-c:a', 'aac'];
  await run(
    'ffmpeg',
    [
      ...['-v', 'error', ...(name === 'audio' ? sound : picture), '-f', 'hls', '-hls_time', '1'],
      ...[
        '-hls_playlist_type',
        'vod',
        '-hls_segment_type',
        'fmp4',
        '-hls_segment_filename',
        'seg_%04d.m4s',
        'a.m3u8',
      ],
    ],
    { cwd: folder },
  );
  const timescale = name === 'audio' ? 48_000 : 12_800;
  const durations = [...(await readFile(join(folder, 'a.m3u8'), 'utf8')).matchAll(/#EXTINF:([\d.]+)/g)];
  const files = (await readdir(folder)).filter((file) => file.endsWith('.m4s')).sort();
  let startTicks = 0;
  const segments: DashSegment[] = files.map((uri, index) => {
    const durationTicks = Math.round(Number(durations[index]?.[1]) * timescale);
    const segment = { uri, startTicks, durationTicks };
    startTicks += durationTicks;
    return segment;
  });
  return { ...(name === 'audio' ? audio : video), timescale, initUri: 'init.mp4', segments: () => segments };
}
