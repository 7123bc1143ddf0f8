import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStore } from '#storage';
import { type Stack, startStack, waitFor } from '#testing';
import { isLongRun } from '../long-run.js';
import { MANY_SPANS, mustComplete } from '../pipeline/harness.js';
import { film, renamed, withFree } from './films.js';
import { HeldUpload } from './held-upload.js';
import { rowOf, untilPlanned, untilStored } from './scene.js';

/** Others may use the machine. */
const PATIENCE = 120_000;
let stack: Stack;
beforeAll(async () => {
  stack = await startStack({ env: MANY_SPANS });
});
afterAll(() => stack?.stop());

const assetOf = async (job: string) => String((await rowOf(stack, job)).asset_id);

const encodedFor = async (...uploads: HeldUpload[]) =>
  (
    await stack.query('SELECT DISTINCT job_id FROM renditions WHERE job_id = ANY($1)', [
      uploads.map(({ job }) => job),
    ])
  ).map(({ job_id }) => job_id);

describe('S3-08 two uploads of one new file at the same time', { timeout: PATIENCE }, () => {
  it('are encoded once, also when the first is done long before the second', async () => {
    const file = renamed((await film('longer-moov-last')).bytes);
    const first = await HeldUpload.open(stack, file, { order: 'ends-first' });
    const second = await HeldUpload.open(stack, file, { order: 'ends-first' });
    await first.sendTo(0.75);
    await second.sendTo(0.5);
    await untilStored(stack, first.job);
    await second.sendTo(0.75);
    await first.finish();
    const { result } = await mustComplete(stack, first.job);
    await second.sendTo(0.9);
    // It has all that a plan needs, and time enough: what is looked at is looked at every second.
    const plans = async () => (await stack.logs('transcode')).split('"planned"').length;
    const third = await HeldUpload.open(stack, renamed((await film('longer')).bytes), { order: 'in-order' });
    const before = await plans();
    await third.sendTo(0.5);
    await waitFor(async () => (await plans()) > before, { what: 'somebody else to be planned' });
    expect(await rowOf(stack, second.job)).toMatchObject({ status: 'pending', plan: null });
    await second.finish();
    expect((await mustComplete(stack, second.job)).result).toEqual(result);
    expect(await assetOf(second.job)).toBe(await assetOf(first.job));
    expect(await encodedFor(first, second)).toEqual([first.job]);
  });

  it.runIf(isLongRun)('wait no longer for each other when one of them ends', async () => {
    const file = renamed((await film('longer-moov-last')).bytes);
    const first = await HeldUpload.open(stack, file, { order: 'ends-first' });
    const second = await HeldUpload.open(stack, file, { order: 'ends-first' });
    await first.sendTo(0.3);
    await second.sendTo(0.9);
    await untilPlanned(stack, first.job);
    expect((await rowOf(stack, second.job)).plan).toBeNull();
    await fetch(`${stack.urls.upload}/v1/upload/video/session/${first.session}`, { method: 'DELETE' });
    await untilPlanned(stack, second.job);
    await second.finish();
    await mustComplete(stack, second.job);
  });

  it.runIf(isLongRun)('are two when they only begin alike', async () => {
    const { bytes } = await film('longer-moov-last');
    const size = bytes.length + 64;
    const [first, second] = await Promise.all(
      [withFree(bytes, size), withFree(bytes, size)].map((file) =>
        HeldUpload.open(stack, file, { order: 'ends-first' }),
      ),
    );
    if (!first || !second) throw new Error('two were opened');
    await first.sendTo(0.8);
    await second.sendTo(0.8);
    await Promise.all([first, second].map(({ job }) => untilPlanned(stack, job)));
    await first.finish();
    await second.finish();
    for (const { job } of [first, second]) await mustComplete(stack, job);
    expect(await assetOf(first.job)).not.toBe(await assetOf(second.job));
  });

  it.runIf(isLongRun)(
    'cut otherwise, are found to be one when both are complete: what the second had made goes',
    async () => {
      const file = renamed((await film('longer')).bytes);
      const first = await HeldUpload.open(stack, file, { order: 'in-order' });
      const second = await HeldUpload.open(stack, file, { order: 'in-order', chunks: 17 });
      await second.sendTo(0.75);
      await untilStored(stack, second.job);
      const own = await assetOf(second.job);
      await first.finish();
      await second.finish();
      const { result } = await mustComplete(stack, first.job);
      expect((await mustComplete(stack, second.job)).result).toEqual(result);
      const store = await openStore({ STORAGE_DRIVER: 'directory', STORAGE_DIR: stack.storageDir });
      await waitFor(
        async () => {
          const [asset] = await stack.query('SELECT status FROM assets WHERE id = $1', [own]);
          const left = await store.list(`media/${own}/`)[Symbol.asyncIterator]().next();
          return asset?.status === 'deleted' && left.done;
        },
        { what: 'the second output to go' },
      );
      expect(await encodedFor(first, second)).toEqual([first.job]);
    },
  );
});
