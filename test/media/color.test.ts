import { describe, expect, it } from 'vitest';
import { assertAble, planColor, planJob } from '#media';
import { makeFile } from '../clips/make.js';
import { probeColor, readStripes, stripes, type Triple } from '../clips/patches.js';
import { analysis, options } from './analysis.js';
import { encodedLowest } from './made.js';

const LOSSLESS = ['-c:v', 'libx264', '-preset', 'ultrafast', '-qp', '0'];
const tags = (matrix: string, transfer: string, primaries: string, range = 'tv') => [
  ...['-colorspace', matrix, '-color_trc', transfer, '-color_primaries', primaries, '-color_range', range],
];
/** Frames say what they are, too: an encoder believes them more than its options. */
const said = (matrix: string, transfer: string, primaries: string, range = 'tv') =>
  `setparams=range=${range}:color_primaries=${primaries}:color_trc=${transfer}:colorspace=${matrix}`;

const clip = (file: string, graph: string, encode: string[]) =>
  makeFile({ file, steps: [['-f', 'lavfi', '-i', graph, ...encode, '%out']] });

// What the standards say, written down apart from any video library.
const BT709_TO_2020 = [
  [0.627404, 0.329283, 0.043313],
  [0.069097, 0.91954, 0.011362],
  [0.016391, 0.088013, 0.895595],
] as const;
/** SMPTE ST 2084: light in nits to a signal of 0 to 1. */
function pq(nits: number): number {
  const y = (nits / 10_000) ** 0.1593017578125;
  return ((0.8359375 + 18.8515625 * y) / (1 + 18.6875 * y)) ** 78.84375;
}
/** ITU-R BT.2100: signal of one channel for display light on a screen of 1000 nits, for greys. */
function hlg(nits: number): number {
  const scene = (nits / 1000) ** (1 / 1.2);
  return scene <= 1 / 12 ? Math.sqrt(3 * scene) : 0.17883277 * Math.log(12 * scene - 0.28466892) + 0.55991073;
}
/** Y'CbCr of BT.2020, 10 bits, limited range. */
function bt2020([r, g, b]: Triple): Triple {
  const luma = 0.2627 * r + 0.678 * g + 0.0593 * b;
  return [64 + 876 * luma, 512 + (896 * (b - luma)) / 1.8814, 512 + (896 * (r - luma)) / 1.4746].map(
    Math.round,
  ) as unknown as Triple;
}
const toWide = (light: Triple) =>
  BT709_TO_2020.map(([r, g, b]) => r * light[0] + g * light[1] + b * light[2]) as unknown as Triple;
const [WHITE, PEAK, KNEE] = [203, 1000 / 203, 0.3];
/** The curve that highlights are bent by: straight below the knee, 1 at the peak. */
function bend(light: number): number {
  if (light <= KNEE) return light;
  const a = (-KNEE * KNEE * (PEAK - 1)) / (KNEE * KNEE - 2 * KNEE + PEAK);
  const b = (KNEE * KNEE - 2 * KNEE * PEAK + PEAK) / (PEAK - 1);
  return (((b * b + 2 * b * KNEE + KNEE * KNEE) / (b - a)) * (light + a)) / (light + b);
}
const bt709 = (light: number) => (light < 0.018 ? 4.5 * light : 1.099 * light ** 0.45 - 0.099);
/** What an SDR screen is to be told for BT.709 light in nits (ITU-R BT.1886: a gamma of 2.4). */
function sdr(nits: Triple): Triple {
  const light = nits.map((n) => n / WHITE);
  const most = Math.max(...light, 1e-6);
  const scale = bend(most) / most;
  return light.map((n) => Math.round(255 * Math.min(1, n * scale) ** (1 / 2.4))) as unknown as Triple;
}

/** Levels of 255 that 8 bits, 4:2:0 and a lossy encoder may be off. */
const TOLERANCE = 5;
function expectNear(found: Triple[], expected: readonly Triple[]): void {
  found.forEach((color, i) => {
    const off = Math.max(...color.map((level, c) => Math.abs(level - (expected[i]?.[c] ?? -99))));
    expect(off, `stripe ${i}: ${color} where ${expected[i]} is right`).toBeLessThanOrEqual(TOLERANCE);
  });
}

const LIGHT: Triple[] = [
  [0, 0, 0],
  [20, 20, 20],
  [100, 100, 100],
  [203, 203, 203],
  [1000, 1000, 1000],
  [100, 10, 10],
  [10, 100, 10],
  [20, 20, 150],
];

describe('HDR becomes SDR', () => {
  it('PQ: greys, highlights and colours are what the curve says, tagged BT.709', async () => {
    const codes = LIGHT.map((light) => bt2020(toWide(light).map(pq) as unknown as Triple));
    const file = await clip(
      'pq.mkv',
      `${stripes('yuv420p10le', codes)},${said('bt2020nc', 'smpte2084', 'bt2020')}`,
      [...LOSSLESS, ...tags('bt2020nc', 'smpte2084', 'bt2020')],
    );
    await encodedLowest(file, async (made, plan) => {
      expect(plan.video.color?.conversion).toBe('tone-map');
      expect(await probeColor(made)).toBe('yuv420p,tv,bt709,bt709,bt709');
      expectNear(await readStripes(made, LIGHT.length), LIGHT.map(sdr));
    });
  });

  it('HLG: greys and highlights are what the curve says, tagged BT.709', async () => {
    const greys = LIGHT.slice(0, 5);
    const codes = greys.map(([nits]) => bt2020([hlg(nits), hlg(nits), hlg(nits)]));
    const file = await clip(
      'hlg.mkv',
      `${stripes('yuv420p10le', codes)},${said('bt2020nc', 'arib-std-b67', 'bt2020')}`,
      [...LOSSLESS, ...tags('bt2020nc', 'arib-std-b67', 'bt2020')],
    );
    await encodedLowest(file, async (made) => {
      expect(await probeColor(made)).toBe('yuv420p,tv,bt709,bt709,bt709');
      expectNear(await readStripes(made, greys.length), greys.map(sdr));
    });
  });

  it('is refused with a reason by an ffmpeg that cannot do it', () => {
    const hdr = planJob(analysis({ video: { ...analysis().video, transfer: 'smpte2084' } }), options);
    const without = { filters: new Set(['tonemap', 'scale']), encoders: new Set<string>() };
    expect(() => assertAble(hdr, without)).toThrow(/lacks zscale/);
    expect(() => assertAble(planJob(analysis(), options), without)).not.toThrow();
  });
});

describe('SDR keeps its colours', () => {
  it('full range becomes limited', async () => {
    const codes = [0, 128, 235, 255].map((level) => [level, 128, 128] as const);
    const file = await clip('full.mkv', `${stripes('yuvj420p', codes)},setparams=range=pc`, [
      ...LOSSLESS,
      '-color_range',
      'pc',
    ]);
    await encodedLowest(file, async (made) => {
      expect(await probeColor(made)).toMatch(/^yuv420p,tv,/);
      const greys = [0, 128, 235, 255].map((level) => [level, level, level] as const);
      expectNear(await readStripes(made, 4), greys);
    });
  });

  it('ten bits become eight, and small pictures that say nothing are BT.601', async () => {
    const codes: Triple[] = [
      [64, 512, 512],
      [502, 512, 512],
      [940, 512, 512],
      // A red of BT.601.
      [260, 412, 847],
    ];
    const file = await clip('ten.mkv', stripes('yuv420p10le', codes), LOSSLESS);
    await encodedLowest(file, async (made) => {
      expect(await probeColor(made)).toBe('yuv420p,tv,smpte170m,smpte170m,smpte170m');
      expectNear(await readStripes(made, 4), [
        [0, 0, 0],
        [128, 128, 128],
        [255, 255, 255],
        [191, 0, 7],
      ]);
    });
  });

  it('RGB becomes BT.709 and says so', async () => {
    const colors: Triple[] = [
      [200, 30, 40],
      [30, 180, 60],
      [40, 60, 220],
      [250, 250, 250],
    ];
    const file = await clip('rgb.mkv', stripes('gbrp', colors), ['-c:v', 'ffv1']);
    await encodedLowest(file, async (made) => {
      expect(await probeColor(made)).toBe('yuv420p,tv,bt709,bt709,bt709');
      expectNear(await readStripes(made, colors.length), colors);
    });
  });

  it('a wide gamut that is not HDR becomes BT.709', async () => {
    const colors: Triple[] = [
      [0.5, 0.5, 0.5],
      [0.5, 0.1, 0.1],
      [0.1, 0.4, 0.1],
    ];
    const codes = colors.map((light) => bt2020(toWide(light).map(bt709) as unknown as Triple));
    const file = await clip(
      'wide.mkv',
      `${stripes('yuv420p10le', codes)},${said('bt2020nc', 'bt2020-10', 'bt2020')}`,
      [...LOSSLESS, ...tags('bt2020nc', 'bt2020-10', 'bt2020')],
    );
    await encodedLowest(file, async (made) => {
      expect(await probeColor(made)).toBe('yuv420p,tv,bt709,bt709,bt709');
      const expected = colors.map(
        (light) => light.map((n) => Math.round(255 * bt709(n))) as unknown as Triple,
      );
      expectNear(await readStripes(made, colors.length), expected);
    });
  });

  it.each([
    [
      'says BT.601',
      { matrix: 'smpte170m', primaries: 'smpte170m', transfer: 'smpte170m' },
      'smpte170m smpte170m smpte170m',
    ],
    [
      'says PAL',
      { matrix: 'bt470bg', primaries: 'bt470bg', transfer: 'gamma28' },
      'bt470bg bt470bg smpte170m',
    ],
    ['says nothing, HD', {}, 'bt709 bt709 bt709'],
    ['says nothing, NTSC', { width: 720, height: 480 }, 'smpte170m smpte170m smpte170m'],
    ['says nothing, PAL', { width: 720, height: 576 }, 'bt470bg bt470bg smpte170m'],
    ['says what no list has', { matrix: "x'", primaries: ';', transfer: ',[a]' }, 'bt709 bt709 bt709'],
  ])('a source that %s is tagged right', (_, video, expected) => {
    const color = planColor({ ...analysis().video, ...video });
    expect(color.conversion).toBe('none');
    const { matrix, primaries, transfer } = color.output;
    expect(`${matrix} ${primaries} ${transfer}`).toBe(expected);
  });
});
