import { DEFAULT_INPUT_LIMITS, type SourceAnalysis } from '#media';

/** A minute of 720p with sound, fit to be copied. */
export const analysis = (change: Partial<SourceAnalysis> = {}): SourceAnalysis => ({
  container: 'mov',
  limits: DEFAULT_INPUT_LIMITS,
  video: {
    index: 0,
    id: 1,
    codec: 'h264',
    profile: 'High',
    pixelFormat: 'yuv420p',
    width: 1280,
    height: 720,
    rotation: 0,
    sampleAspect: { num: 1, den: 1 },
    timeBase: { num: 1, den: 15360 },
    nominalRate: { num: 30, den: 1 },
    averageRate: { num: 30, den: 1 },
    interlaced: false,
    transfer: '',
  },
  timeline: {
    startTicks: 0,
    timeBase: { num: 1, den: 15360 },
    startSeconds: 0,
    endSeconds: 60,
    frames: 1800,
    constantRate: { num: 30, den: 1 },
    averageFps: 30,
    keyFrames: Array.from({ length: 30 }, (_, i) => i * 2),
    extents: null,
  },
  audio: {
    index: 1,
    id: 2,
    timeBase: { num: 1, den: 48000 },
    codec: 'aac',
    channels: 6,
    language: 'deu',
    startSeconds: 0,
    endSeconds: 60.02,
  },
  bitRate: 2_000_000,
  copyObstacle: null,
  ...change,
});
export const options = { segmentSeconds: 4, spanSeconds: 20, preset: 'veryfast', threads: 2 };
