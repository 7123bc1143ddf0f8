import { describe, expect, it } from 'vitest';
import { BUILT_IN_PROFILES, type Profile, profileKey, readChoice, readProfileKey } from '#contracts';
import { planJob } from '#media';
import { chosenDownloads } from '../../apps/segment-upload/src/finishing/downloads.js';
import { analysis, options } from './analysis.js';

const keyOf = (wanted: Record<string, unknown>) => profileKey('default', readChoice(wanted));
const planned = (wanted: Record<string, unknown>, change = {}) =>
  planJob(analysis(change), { ...options, choice: readChoice(wanted) });

describe('what an upload wants of the usual outputs', () => {
  it.each([
    [{}, 'default'],
    [{ note: 'x', renditions: null }, 'default'],
    [{ renditions: ['360p', '720p', '360p'] }, 'default;renditions=720p,360p'],
    [{ renditions: ' 360p, 720p ' }, 'default;renditions=720p,360p'],
    [{ renditions: ['1080p', '720p', '480p', '360p', '240p'] }, 'default'],
    [{ audio: 'default', subtitles: 'true' }, 'default;audio=default'],
    [{ downloads: 'top' }, 'default;downloads=top'],
    [{ downloads: '360p, 720p', audio: 'none' }, 'default;audio=none;downloads=720p,360p'],
    [{ downloads: ['240p'] }, 'default;downloads=240p'],
    [{ ts: 'true' }, 'default;ts=true'],
    [{ ts: false }, 'default;ts=false'],
    [
      { renditions: '240p', audio: 'none', subtitles: false },
      'default;renditions=240p;audio=none;subtitles=false',
    ],
  ])('%j is the key %s, which says it all', (wanted, key) => {
    expect(keyOf(wanted)).toBe(key);
    const { profile, choice } = readProfileKey(key);
    expect(profile).toBe('default');
    expect(profileKey(profile, choice)).toBe(key);
  });

  it.each([
    { renditions: [] },
    { renditions: '' },
    { renditions: ['144p'] },
    { renditions: ['720p', { toString: 1 }] },
    { renditions: Array.from({ length: 6 }, () => '720p') },
    { renditions: 720 },
    { audio: 'loud' },
    { ts: 'cmaf' },
    { ts: 1 },
    { audio: ['all'] },
    { subtitles: 'maybe' },
    { subtitles: 1 },
    { downloads: true },
    { downloads: [] },
    { downloads: ['top'] },
    { downloads: 'all,720p' },
    { downloads: '144p' },
  ])('S0-04 %j is refused', (wanted) => {
    expect(() => readChoice(wanted)).toThrow(expect.objectContaining({ code: 'invalid_options' }));
  });
});

describe('which renditions can be downloaded', () => {
  const stored = (['720p', '480p', '360p', 'audio', 'subtitles'] as const).map((name) => ({ name }));
  it.each([
    ['none', {}, []],
    ['all', {}, ['720p', '480p', '360p']],
    ['top', {}, ['720p']],
    ['360p,1080p', {}, ['360p']],
    ['1080p', {}, ['720p']],
    ['all', { downloads: 'none' }, []],
    ['none', { downloads: ['480p', '360p'] }, ['480p', '360p']],
    ['none', { downloads: 'all', subtitles: false }, ['720p', '480p', '360p']],
  ])('of DOWNLOADS=%s and %j', (setting, wanted, names) => {
    expect(chosenDownloads({ DOWNLOADS: setting }, keyOf(wanted), stored)).toEqual(names);
  });
});

describe('a plan of what is wanted', () => {
  const names = (wanted: Record<string, unknown>, change = {}) =>
    planned(wanted, change).renditions.map((r) => `${r.name} ${r.mode}`);

  it('has the rungs that are named, and copies the top one only when it is', () => {
    expect(names({ renditions: ['720p', '240p'] })).toEqual(['720p copy', '240p encode', 'audio encode']);
    const below = planned({ renditions: ['480p', '240p'] });
    expect(below.renditions.map((r) => `${r.name} ${r.mode}`)).toEqual([
      '480p encode',
      '240p encode',
      'audio encode',
    ]);
    expect(below.borders).toEqual(planned({}, { copyObstacle: 'because' }).borders);
    expect(below.spans.some((s) => s.kind === 'copy')).toBe(false);
  });

  it('is never scaled up: of a smaller source it has the largest rung', () => {
    expect(names({ renditions: ['1080p'] })).toEqual(['720p copy', 'audio encode']);
  });

  it('without sound does not last as long as the sound', () => {
    const longer = { copyObstacle: 'because', audio: { ...analysis().audio!, endSeconds: 70 } };
    expect(planned({ audio: 'none' }, longer)).toMatchObject({ audio: null, video: { holdEnd: 0 } });
    expect(names({ audio: 'none' }, longer).join()).not.toContain('audio');
    expect(planned({}, longer).video.holdEnd).toBe(300);
  });

  it('S0-11 as MPEG-TS is for H.264 only: with another codec nothing is, and that is said', () => {
    const ts = (wanted: Record<string, unknown>, profile?: Profile) =>
      planJob(analysis(), { ...options, choice: readChoice(wanted), ...(profile ? { profile } : {}) })
        .renditions.map((rendition) => rendition.ts)
        .filter((one, i, all) => all.indexOf(one) === i);
    expect(ts({})).toEqual([undefined]);
    expect(ts({ ts: false })).toEqual([undefined]);
    expect(ts({ ts: true })).toEqual([true]);
    for (const profile of BUILT_IN_PROFILES.filter(({ codec }) => codec !== 'h264'))
      expect(ts({ ts: true }, profile)).toEqual([false]);
  });
});
