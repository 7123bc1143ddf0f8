import { describe, expect, it } from 'vitest';
import { BUILT_IN_PROFILES, ENCODER_NAMES, type Profile, USUAL_PROFILE } from '#contracts';
import { encoderFingerprint, planJob, planLadder } from '#media';
import { analysis, options } from './analysis.js';

const own: Profile = {
  ...USUAL_PROFILE,
  ...{ name: 'own', crf: 20, preset: 'fast', maxFrameRate: 30, audioBitRate: 96_000 },
  rungs: [
    { name: '720p', maxRate: 2_000_000, crf: null },
    { name: '360p', maxRate: 600_000, crf: 28 },
  ],
};
const of = (profile: Profile) => planJob(analysis(), { ...options, profile });

describe('a plan of a profile', () => {
  it('S1-08 has its rungs, rates and encoder, and nothing above it', () => {
    const plan = planJob(analysis({ copyObstacle: 'x' }), { ...options, profile: own });
    expect(plan.encoder).toEqual({ name: 'libx264', preset: 'fast', crf: 20, threads: 2 });
    expect(plan.renditions.map(({ name, maxRate, crf }) => [name, maxRate, crf])).toEqual([
      ['720p', 2_000_000, undefined],
      ['360p', 600_000, 28],
      ['audio', 96_000, undefined],
    ]);
    const fast = planJob(
      analysis({ timeline: { ...analysis().timeline, constantRate: { num: 60, den: 1 } } }),
      { ...options, profile: own },
    );
    expect(fast.grid.fps).toEqual({ num: 30, den: 1 });
  });

  it('gives a source between, above and below its rungs one that fits, never scaled up', () => {
    const sizes = (width: number, height: number) =>
      planLadder(width, height, 25, own.rungs).map((rung) => `${rung.name} ${rung.width}x${rung.height}`);
    expect(sizes(1920, 1080)).toEqual(['720p 1280x720', '360p 640x360']);
    expect(sizes(854, 480)).toEqual(['720p 854x480', '360p 640x360']);
    expect(sizes(320, 180)).toEqual(['360p 320x180']);
  });

  it('is of one encoder, whose every value is in the fingerprint', () => {
    const prints = ENCODER_NAMES.map((encoder) => {
      const plan = planJob(analysis({ copyObstacle: 'x' }), { ...options, encoder });
      const [rendition] = plan.renditions;
      return rendition ? encoderFingerprint('ffmpeg', plan, rendition) : '';
    });
    expect(new Set(prints).size).toBe(ENCODER_NAMES.length);
  });

  it('of the usual profile is what a plan without one is', () => {
    expect(of(USUAL_PROFILE)).toEqual(planJob(analysis(), options));
    expect(BUILT_IN_PROFILES[0]).toBe(USUAL_PROFILE);
  });
});
