import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ConfigError, loadProfiles } from '#config';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sluice-profiles-'));
});
afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
});

async function load(content: unknown, usual = 'default') {
  const path = join(dir, 'profiles.json');
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content));
  return loadProfiles({ PROFILES_FILE: path, DEFAULT_PROFILE: usual });
}

const problemsOf = (content: unknown, usual?: string): Promise<string[]> =>
  load(content, usual).then(
    () => [],
    (error: ConfigError) => error.problems,
  );

describe('profiles', () => {
  it('are three without a file', () => {
    const profiles = loadProfiles({ PROFILES_FILE: '', DEFAULT_PROFILE: 'default' });
    expect(profiles.all.map(({ name, codec, encoders }) => [name, codec, ...encoders])).toEqual([
      ['default', 'h264', 'libx264'],
      ['hevc', 'hevc', 'libx265'],
      ['av1', 'av1', 'libsvtav1', 'libaom-av1'],
    ]);
  });

  it('of a file stand beside the built-in ones, or in their place, with the usual of their codec', async () => {
    const rungs = [
      { name: '360p', max_rate: 500_000 },
      { name: '720p', max_rate: 2_000_000, crf: 28 },
    ];
    const profiles = await load(
      {
        profiles: [
          { name: 'team', codec: 'hevc', rungs, max_frame_rate: 30 },
          { name: 'av1', codec: 'av1', copy: false },
        ],
      },
      'team',
    );
    expect(profiles.names).toEqual(['default', 'hevc', 'av1', 'team']);
    expect(profiles.usual).toBe('team');
    expect(profiles.get('av1')?.copy).toBe(false);
    expect(profiles.get('team')).toMatchObject({
      ...{ encoders: ['libx265'], preset: null, crf: 26, maxFrameRate: 30, audioBitRate: null },
      rungs: [
        { name: '720p', maxRate: 2_000_000, crf: 28 },
        { name: '360p', maxRate: 500_000, crf: null },
      ],
    });
  });

  const one = (change: Record<string, unknown>) => ({ profiles: [{ name: 'a', codec: 'h264', ...change }] });
  it.each([
    ['no JSON', '{', /cannot be read/],
    ['a list', [], /must be an object|profiles/],
    ['nothing', 'null', /must be an object/],
    ['no profiles', {}, /profiles must be an array/],
    ['a name with a place', one({ name: 'a;b' }), /profiles\[0\]: name must have/],
    ['two of a name', { profiles: [one({}).profiles[0], one({}).profiles[0]] }, /unique/],
    ['another codec', one({ codec: 'vp9' }), /profiles\[0\]: codec must be one of/],
    ['an unknown encoder', one({ encoders: ['x264'] }), /each value in encoders/],
    ['an encoder of another codec', one({ encoders: ['libx265'] }), /libx265 is no encoder of h264/],
    ['a word that is none', one({ presets: 'fast' }), /property presets should not exist/],
    [
      'an unknown rung',
      one({ rungs: [{ name: '999p', max_rate: 1e6 }] }),
      /profiles\[0\]\.rungs\[0\]: name must be one of/,
    ],
    ['a rate as text', one({ rungs: [{ name: '720p', max_rate: '1M' }] }), /max_rate must be an integer/],
    [
      'a rung twice',
      one({
        rungs: [
          { name: '720p', max_rate: 1e6 },
          { name: '720p', max_rate: 2e6 },
        ],
      }),
      /unique/,
    ],
    ['no rungs', one({ rungs: [] }), /rungs should not be empty|at least 1/],
    ['a frame rate of 0', one({ max_frame_rate: 0 }), /max_frame_rate must not be less/],
    ['profiles that are text', { profiles: ['a'] }, /profiles/],
  ])('S0-04 of a file with %s are refused with where it is', async (_what, content, said) => {
    const problems = await problemsOf(content);
    expect(problems.join('\n')).toMatch(said);
    for (const problem of problems) expect(problem).toMatch(/^PROFILES_FILE /);
  });

  it('name the one of uploads that do not say', async () => {
    expect(await problemsOf({ profiles: [] }, 'nobody')).toEqual([
      'DEFAULT_PROFILE must be one of default, hevc, av1',
    ]);
    expect(() => loadProfiles({ PROFILES_FILE: join(dir, 'none.json'), DEFAULT_PROFILE: 'default' })).toThrow(
      /ENOENT/,
    );
  });
});
