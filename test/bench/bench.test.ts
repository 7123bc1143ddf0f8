import { spawn } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { cpuSecondsOf, cpuSecondsOfEndedChildren } from './cpu.js';
import { figureTable, lowerIsBetter, median } from './figures.js';
import { lineThrough, makespan, speedUp } from './scale/simulate.js';

const BUSY = 'const end = process.cpuUsage().user + 400000; while (process.cpuUsage().user < end);';

describe('the figures of a bench', () => {
  it('are medians with the least and the most', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect(lowerIsBetter('pipeline', 'wall_ratio', [1.2, 1.02, 1.07], 1.15)).toEqual({
      bench: 'pipeline',
      figure: 'wall_ratio',
      value: 1.07,
      spread: [1.02, 1.2],
      target: 1.15,
      better: 'lower',
      ok: true,
    });
    expect(figureTable([lowerIsBetter('pipeline', 'cpu_ratio', [1.3], 1.15)])).toMatch(
      /1\.300.*≤ 1\.15\s+missed/,
    );
  });

  it('count the CPU of a child that came and went, and of one below another', async () => {
    const [own, ours] = [cpuSecondsOfEndedChildren(), cpuSecondsOf([process.pid])];
    const nested = `require('node:child_process').execFileSync(process.execPath, ['-e', ${JSON.stringify(BUSY)}])`;
    await new Promise((resolve) => spawn(process.execPath, ['-e', nested]).on('close', resolve));
    expect(cpuSecondsOfEndedChildren() - own).toBeGreaterThan(0.39);
    expect(cpuSecondsOf([process.pid]) - ours).toBeGreaterThan(0.39);
  });
});

describe('scaling on paper', () => {
  const cost = { fixed: 1, perSecond: 0.5, start: 2, audioPerSecond: 0.01 };

  it('is a line through what was measured', () => {
    const { fixed, perSecond } = lineThrough(
      [4, 8, 8, 16].map((length) => ({ length, seconds: 1 + length / 2 })),
    );
    expect([fixed, perSecond]).toEqual([expect.closeTo(1), expect.closeTo(0.5)]);
    expect(lineThrough([{ length: 8, seconds: 4 }])).toEqual({ fixed: 0, perSecond: 0.5 });
  });

  it('ends where there are no more spans, or where the audio is what is waited for', () => {
    expect(makespan(60, 1, cost)).toBeCloseTo(2 + 3 * 11);
    expect(speedUp(60, 3, cost)).toBe(speedUp(60, 1000, cost));
    expect(makespan(36_000, 1000, cost)).toBe(360);
  });
});
