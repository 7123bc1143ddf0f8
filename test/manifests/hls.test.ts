import { parse, types } from 'hls-parser';
import { describe, expect, it } from 'vitest';
import {
  BitRateMeter,
  type EarlyMember,
  earlyMultivariant,
  mediaPlaylist,
  targetDurationFor,
  vodMultivariant,
} from '#media';

const video: EarlyMember = {
  name: '720p',
  kind: 'video',
  width: 1280,
  height: 720,
  fpsNum: 30_000,
  fpsDen: 1001,
  codecs: 'avc1.64001f',
  language: null,
  title: null,
  role: null,
  isDefault: false,
  channels: null,
  maxBitrate: 3_000_000,
};
const audio: EarlyMember = {
  ...video,
  name: 'audio',
  kind: 'audio',
  width: null,
  height: null,
  fpsNum: null,
  fpsDen: null,
  codecs: 'mp4a.40.2',
  language: 'en',
  role: 'main',
  isDefault: true,
  channels: 2,
  maxBitrate: 128_000,
};

describe('the early multivariant playlist', () => {
  it('S1-08 names the start set, begins at the beginning and states the capped rates', () => {
    expect(earlyMultivariant([video, audio])).toBe(
      [
        '#EXTM3U',
        '#EXT-X-VERSION:7',
        '#EXT-X-INDEPENDENT-SEGMENTS',
        '#EXT-X-START:TIME-OFFSET=0',
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="English",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="audio/early.m3u8"',
        '#EXT-X-STREAM-INF:BANDWIDTH=3128000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=29.970,AUDIO="audio"',
        '720p/early.m3u8',
        '',
      ].join('\n'),
    );
  });

  it('has no audio group for a video without sound', () => {
    const text = earlyMultivariant([video]);
    expect(text).not.toContain('AUDIO');
    expect(text).toContain('BANDWIDTH=3000000,CODECS="avc1.64001f"');
  });

  it('cannot be broken out of by what a file says of itself', () => {
    const text = earlyMultivariant([video, { ...audio, language: 'en",URI="http://x/\n#EXTINF:1,\nx' }]);
    expect(text.split('\n')).toHaveLength(8);
    expect(text).toContain(`LANGUAGE="en',URI='http://x/ #EXTINF:1, x"`);
  });

  it('refuses to be made without a picture', () => {
    expect(() => earlyMultivariant([audio])).toThrow(RangeError);
  });
});

describe('the VOD multivariant playlist', () => {
  it('S1-08 is read by a parser with peak, average, codecs, size, frame rate and audio of every rung', () => {
    const rungs = [
      { ...video, name: '720p', peakBitrate: 2_900_000, averageBitrate: 2_000_000 },
      { ...video, name: '360p', width: 640, height: 360, peakBitrate: 800_000, averageBitrate: 600_000 },
      { ...audio, peakBitrate: 130_000, averageBitrate: 127_000 },
    ];
    const text = vodMultivariant(rungs);
    expect(text).not.toContain('EXT-X-START');
    const read = parse(text);
    if (!(read instanceof types.MasterPlaylist)) throw new Error('not a multivariant playlist');
    expect(read.version).toBe(7);
    expect(read.independentSegments).toBe(true);
    expect(read.variants.map((v) => [v.uri, v.bandwidth, v.averageBandwidth])).toEqual([
      ['720p/index.m3u8', 3_030_000, 2_127_000],
      ['360p/index.m3u8', 930_000, 727_000],
    ]);
    expect(read.variants[0]?.resolution).toEqual({ width: 1280, height: 720 });
    expect(read.variants[0]?.frameRate).toBe(29.97);
    expect(read.variants[0]?.codecs).toBe('avc1.64001f,mp4a.40.2');
    expect(read.variants[1]?.audio[0]).toMatchObject({
      uri: 'audio/index.m3u8',
      isDefault: true,
      channels: '2',
    });
  });
});

describe('a media playlist', () => {
  const segments = [
    { uri: 'seg_0000-aaaaaaaa.m4s', durationTicks: 360_000 },
    { uri: 'seg_0001-bbbbbbbb.m4s', durationTicks: 3003 },
  ];
  const options = { targetDuration: 4, mapUri: 'init-cccccccc.mp4', timescale: 90_000 };

  it('S1-08 grows while the job runs and has no end yet', () => {
    expect(mediaPlaylist({ ...options, type: 'EVENT', segments, ended: false })).toBe(
      [
        '#EXTM3U',
        '#EXT-X-VERSION:7',
        '#EXT-X-TARGETDURATION:4',
        '#EXT-X-MEDIA-SEQUENCE:0',
        '#EXT-X-PLAYLIST-TYPE:EVENT',
        '#EXT-X-INDEPENDENT-SEGMENTS',
        '#EXT-X-MAP:URI="init-cccccccc.mp4"',
        '#EXTINF:4.000000,',
        'seg_0000-aaaaaaaa.m4s',
        '#EXTINF:0.033367,',
        'seg_0001-bbbbbbbb.m4s',
        '',
      ].join('\n'),
    );
  });

  it('only gains lines at its end from one edition to the next', () => {
    const many = Array.from({ length: 50 }, (_, i) => ({ uri: `s${i}`, durationTicks: 120_121 + i }));
    const early = mediaPlaylist({ ...options, type: 'EVENT', segments: many.slice(0, 20), ended: false });
    const late = mediaPlaylist({ ...options, type: 'EVENT', segments: many, ended: true });
    expect(late.startsWith(early)).toBe(true);
    expect(late.endsWith('#EXT-X-ENDLIST\n')).toBe(true);
  });

  it('does not drift over 10,000 segments of 4.004 s', () => {
    const long = Array.from({ length: 10_000 }, (_, i) => ({ uri: `s${i}.m4s`, durationTicks: 120_120 }));
    const odd = long.map((s) => ({ ...s, durationTicks: 4004 * 3 + 1 }));
    for (const [list, timescale] of [
      [long, 30_000],
      [odd, 2997],
    ] as const) {
      const text = mediaPlaylist({ ...options, type: 'VOD', segments: list, timescale, ended: true });
      let sum = 0;
      let exact = 0;
      let furthest = 0;
      const durations = [...text.matchAll(/#EXTINF:([\d.]+),/g)].map((m) => Number(m[1]));
      expect(durations).toHaveLength(10_000);
      durations.forEach((duration, index) => {
        sum += Math.round(duration * 1e6);
        exact += list[index]!.durationTicks;
        furthest = Math.max(furthest, Math.abs(sum - (exact * 1e6) / timescale));
      });
      expect(furthest).toBeLessThanOrEqual(0.51);
    }
  });

  it('has a target duration that no rounded segment exceeds (RFC 8216, 4.3.3.1)', () => {
    expect(targetDurationFor(4, 4.4 * 90_000, 90_000)).toBe(4);
    expect(targetDurationFor(4, 4.6 * 90_000, 90_000)).toBe(5);
    expect(targetDurationFor(0, 3000, 90_000)).toBe(1);
    const text = mediaPlaylist({
      ...options,
      type: 'VOD',
      segments: [{ uri: 'a', durationTicks: 540_000 }],
      ended: true,
    });
    expect(text).toContain('#EXT-X-TARGETDURATION:6\n');
  });

  it('is read by a parser, init segment included', () => {
    const read = parse(mediaPlaylist({ ...options, type: 'VOD', segments, ended: true }));
    if (!(read instanceof types.MediaPlaylist)) throw new Error('not a media playlist');
    expect(read.playlistType).toBe('VOD');
    expect(read.endlist).toBe(true);
    expect(read.segments.map((s) => [s.uri, s.duration, s.map?.uri])).toEqual([
      ['seg_0000-aaaaaaaa.m4s', 4, 'init-cccccccc.mp4'],
      ['seg_0001-bbbbbbbb.m4s', 0.033367, 'init-cccccccc.mp4'],
    ]);
  });
});

describe('measured rates', () => {
  it('take the peak over neighbours and do not let a last segment of one frame count alone', () => {
    const meter = new BitRateMeter(1000, 4);
    for (const bytes of [500_000, 1_000_000, 400_000]) meter.add(4000, bytes);
    meter.add(33, 60_000);
    expect(meter.peak).toBe(2_000_000);
    expect(meter.average).toBe(Math.ceil((1_960_000 * 8 * 1000) / 12_033));
  });

  it('are those of the whole when the video is shorter than half a target duration', () => {
    const meter = new BitRateMeter(1000, 4);
    meter.add(33, 33_000);
    expect(meter.peak).toBe(8_000_000);
    expect(new BitRateMeter(1000, 4).peak).toBe(0);
  });
});
