import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Company, isLastChance } from '../../apps/transcode/src/company.js';

const never = new AbortController().signal;

/** Work that ends when it is told to. */
function work(log: string[], name: string, wish?: 'alone') {
  let end = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const run = async (isAlone: boolean) => {
    if (wish && !isAlone) return wish;
    log.push(`${name} begins`);
    await ended;
    log.push(`${name} ends`);
    return name;
  };
  return { run, end };
}

describe('who runs beside whom', () => {
  it('S0-16 work on its last chance waits for the others, and they for it', async () => {
    const company = new Company();
    const log: string[] = [];
    const [a, b, last, other] = [
      work(log, 'a'),
      work(log, 'b'),
      work(log, 'last', 'alone'),
      work(log, 'other', 'alone'),
    ];
    const runs = [company.run(a.run, never), company.run(last.run, never)];
    await turn();
    runs.push(company.run(b.run, never), company.run(other.run, never));
    await turn();
    expect(log).toEqual(['a begins']);
    for (const { end } of [a, last, b, other]) {
      end();
      await turn();
    }
    expect(await Promise.all(runs)).toEqual(['a', 'last', 'b', 'other']);
    expect(log).toEqual(['a', 'last', 'b', 'other'].flatMap((name) => [`${name} begins`, `${name} ends`]));
  });

  it('work that fails alone keeps nobody out', async () => {
    const company = new Company();
    const failing = company.run(async (isAlone) => {
      if (!isAlone) return 'alone';
      throw new Error('it failed');
    }, never);
    await expect(failing).rejects.toThrow('it failed');
    expect(await company.run(async () => 'next', never)).toBe('next');
  });

  it('a process that stops waits for nobody', async () => {
    const company = new Company();
    const log: string[] = [];
    const [long, last] = [work(log, 'long'), work(log, 'last', 'alone')];
    const stop = new AbortController();
    const runs = [company.run(long.run, never), company.run(last.run, stop.signal)];
    await turn();
    stop.abort();
    last.end();
    expect(await runs[1]).toBe('last');
    long.end();
    await runs[0];
  });

  it.each([
    [0, false],
    [1, false],
    [2, true],
    [3, false],
  ])('after %i deaths the next chance is the last: %s', (deaths, last) => {
    expect(isLastChance(deaths)).toBe(last);
  });
});
