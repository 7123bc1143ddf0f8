import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDataSource } from '#persistence';
import { type Stack, startStack, waitFor } from '#testing';
import { film, renamed } from '../overlap/films.js';
import { HeldUpload } from '../overlap/held-upload.js';
import { untilRunning, untilStored } from '../overlap/scene.js';
import { verifiedFilm } from '../overlap/verified-film.js';
import { MANY_SPANS, mustComplete, upload } from '../pipeline/harness.js';

/** One place of each kind, so that who waits in one is noticed. */
const ONE_PLACE = { SPAN_CONCURRENCY: '1', FOLLOWER_CONCURRENCY: '1', ENABLE_DEDUPLICATION: 'false' };
const PATIENCE = 120_000;
let stack: Stack;
beforeAll(async () => {
  stack = await startStack({ env: { ...MANY_SPANS, ...ONE_PLACE } });
});
afterAll(() => stack?.stop());

const expectWhole = (job: string, name: string) => verifiedFilm(stack, job, name);

describe('while an upload runs', { timeout: PATIENCE }, () => {
  it('S0-16 transcode is killed as it waits for bytes: the rest is encoded by the next one', async () => {
    const { file } = await film('longer');
    const held = await HeldUpload.open(stack, file, { order: 'in-order' });
    await held.sendTo(0.75);
    await untilStored(stack, held.job, 2);
    await untilRunning(stack, held.job);
    await stack.kill('transcode');
    await held.sendTo(0.9);
    await stack.restart('transcode');
    await held.finish();
    await expectWhole(held.job, 'longer');
  });

  it('S0-15 upload is killed between a chunk and what it makes possible: rows say it', async () => {
    const { file } = await film('longer');
    const held = await HeldUpload.open(stack, file, { order: 'in-order' });
    await held.sendTo(0.6);
    await untilStored(stack, held.job, 1);
    const waiting = () =>
      stack.query('SELECT position FROM spans WHERE job_id = $1 AND NOT released', [held.job]);
    const before = (await waiting()).length;
    expect(before).toBeGreaterThan(0);
    const database = await openDataSource({ databaseUrl: stack.databaseUrl, poolSize: 2, name: 'test' });
    try {
      await database.transaction(async (manager) => {
        // Whoever wants to release one comes after us.
        await manager.query('SELECT 1 FROM spans WHERE job_id = $1 AND NOT released FOR UPDATE', [held.job]);
        await held.sendTo(0.9);
        await stack.kill('upload');
      });
      await waitFor(async () => (await waiting()).length < before, { what: 'the reconciler' });
    } finally {
      await database.destroy();
    }
    await stack.restart('upload');
    await held.finish();
    await expectWhole(held.job, 'longer');
  });

  it('S4-07 uploads that stall keep no place from a video that is whole', async () => {
    const { bytes, file } = await film('longer');
    const inRun = await HeldUpload.open(stack, renamed(bytes), { order: 'in-order' });
    // Its index comes last.
    const inPlan = await HeldUpload.open(stack, (await film('longer-moov-last')).file, { order: 'in-order' });
    const stalled = [inRun, inPlan];
    for (const held of stalled) await held.sendTo(0.5);
    await untilRunning(stack, inRun.job);
    await mustComplete(stack, await upload(stack, file), PATIENCE);
    for (const held of stalled) await held.finish();
    for (const held of stalled) await expectWhole(held.job, 'longer');
  });
});
