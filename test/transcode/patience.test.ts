import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { NotArrived } from '#media';
import { Patience } from '../../apps/transcode/src/source/patience.js';

/** Waits for byte after byte, each of which comes in a moment. */
async function trickle(patience: Patience, bytes: number): Promise<void> {
  for (let byte = 0; byte < bytes && !patience.signal.aborted; byte++) {
    patience.begin(byte);
    await sleep(5);
    patience.end();
  }
}

describe('a reader of a source that is arriving', () => {
  it('that waits for one byte too long gives its place back, and says for which', async () => {
    const patience = new Patience({ milliseconds: 20 });
    patience.begin(7);
    await new Promise((resolve) => patience.signal.addEventListener('abort', resolve));
    expect(patience.signal.reason).toBeInstanceOf(NotArrived);
    expect(patience.signal.reason).toMatchObject({ from: 7 });
  });

  it('keeps its place until another one wants it', async () => {
    let asked = 0;
    const patience = new Patience({ milliseconds: 1, isWanted: async () => ++asked > 1 });
    patience.begin(7);
    await new Promise((resolve) => patience.signal.addEventListener('abort', resolve));
    expect(asked).toBe(2);
    expect(patience.signal.reason).toMatchObject({ from: 7 });
  });

  it('that works on what it has read keeps its place, and waits when it is done with that', async () => {
    const patience = new Patience({ milliseconds: 500 });
    patience.begin(7);
    for (let begun = performance.now(); performance.now() - begun < 800; ) {
      await sleep(10);
      patience.renew();
    }
    expect(patience.signal.aborted).toBe(false);
    await new Promise((resolve) => patience.signal.addEventListener('abort', resolve));
    expect(patience.signal.reason).toMatchObject({ from: 7 });
  });

  it('that has all that it needs, or has not begun yet, keeps its place though it is wanted', async () => {
    const needs = new Patience({ milliseconds: 1, enough: 7 });
    const begins = new Patience({ milliseconds: 1, startMs: 60_000 });
    for (const patience of [needs, begins]) patience.begin(7);
    await sleep(600);
    expect([needs.signal.aborted, begins.signal.aborted]).toEqual([false, false]);
    begins.renew();
    await new Promise((resolve) => begins.signal.addEventListener('abort', resolve));
    for (const patience of [needs, begins]) patience.end();
  });

  it('that has its byte is not asked about any more', async () => {
    let answer = (_: boolean) => {};
    const patience = new Patience({
      milliseconds: 1,
      isWanted: () => new Promise<boolean>((resolve) => (answer = resolve)),
    });
    const unasked = answer;
    patience.begin(7);
    while (answer === unasked) await sleep(1);
    patience.end();
    answer(true);
    await sleep(1);
    expect(patience.signal.aborted).toBe(false);
  });

  it('that can begin again where it stopped does so, too, when bytes only trickle', async () => {
    const patience = new Patience({ milliseconds: 50, of: 'the run' });
    await trickle(patience, 10_000);
    expect(patience.signal.reason).toBeInstanceOf(NotArrived);
    expect(patience.isWaiting()).toBe(false);
  });

  it('that waits for most of its time leaves, too, where its place is wanted', async () => {
    const patience = new Patience({ milliseconds: 30 });
    for (let byte = 0; byte < 10; byte++) {
      patience.begin(byte);
      await sleep(20);
      patience.end();
    }
    patience.begin(10);
    await new Promise((resolve) => patience.signal.addEventListener('abort', resolve));
    expect(patience.signal.reason).toMatchObject({ from: 10 });
  });

  it('that would have to begin at the start stays while bytes come', async () => {
    const patience = new Patience({ milliseconds: 60_000 });
    await trickle(patience, 20);
    expect(patience.signal.aborted).toBe(false);
  });
});
