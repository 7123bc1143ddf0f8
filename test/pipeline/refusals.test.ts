import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SluiceClient, SluiceClientError } from '#client';
import type { ProcessData } from '#contracts';
import { type Stack, startStack, waitFor } from '#testing';
import { BAD, type BadFile, badFileOf } from '../clips/bad.js';
import { fileOf, GOOD } from '../clips/good.js';
import { idOf, open, patch } from '../upload/tus-support.js';
import { jobEnd, jobOf, mustComplete, pausePackaging, upload, waitUntilClean } from './harness.js';

const clip = (name: string) => {
  const found = GOOD.find((good) => good.name === name);
  if (!found) throw new Error(`there is no clip ${name}`);
  return fileOf(found);
};

const A_SENTENCE = /^\S.*\s.*\S$/s;

describe('what no stream can come of', () => {
  let stack: Stack;
  beforeAll(async () => {
    // A slow encoder, so that a cancel comes in the middle of it.
    stack = await startStack({
      env: {
        SOURCE_RETENTION_HOURS: '0',
        ...{ SEGMENT_SECONDS: '1', SPAN_SECONDS: '2', ENCODER_PRESET: 'slow' },
        SOURCE_MAX_BIT_RATE: '5000000',
      },
    });
  });
  afterAll(async () => {
    await stack?.stop();
  });

  it.each(BAD)('$name is refused with a code and a sentence, and leaves nothing', async (bad) => {
    const ids = { session: '', job: '' };
    const refusal = await upload(stack, await badFileOf(bad), (opened) => Object.assign(ids, opened)).then(
      () => null,
      (error: unknown) => error,
    );
    if (refusal !== null) {
      if (!(refusal instanceof SluiceClientError)) throw refusal;
      expect(refusal.status).toBeGreaterThanOrEqual(400);
      expect(refusal.status).toBeLessThan(500);
      expect(refusal.message).toMatch(A_SENTENCE);
      expect(bad.codes).toContain(refusal.code);
    }
    if (ids.job) {
      const job = await jobEnd(stack, ids.job);
      expect(job.status).toBe('failed');
      expect(bad.codes).toContain(job.error_code);
      expect(job.error_message).toMatch(A_SENTENCE);
      await waitUntilClean(stack, ids);
    }
  });

  it('S3-05 a bomb that comes by tus, or by POST /process, ends with the same code', async () => {
    const bomb = BAD.find(({ name }) => name === 'three pictures over two days') as BadFile;
    const bytes = await readFile(await badFileOf(bomb));
    const form = new FormData();
    form.append('video', new Blob([new Uint8Array(bytes)]), bomb.recipe.file);
    const processing = await fetch(`${stack.urls.upload}/process`, { method: 'POST', body: form });
    expect(processing.status).toBe(202);
    const { job_id: byForm } = (await processing.json()) as ProcessData;
    expect(await jobEnd(stack, byForm)).toMatchObject({ status: 'failed', error_code: bomb.codes[0] });

    const upload = await open(stack.urls.upload, bytes.length);
    expect((await patch(stack.urls.upload, upload, 0, bytes)).status).toBe(204);
    const [session] = await stack.query('SELECT job_id FROM upload_sessions WHERE id = $1', [idOf(upload)]);
    const byTus = String(session?.job_id);
    expect(await jobEnd(stack, byTus)).toMatchObject({ status: 'failed', error_code: bomb.codes[0] });
    await waitUntilClean(stack, { session: idOf(upload), job: byTus });
  });

  it('S3-03 a cancel in the middle of the encode leaves nothing behind', async () => {
    const ids = { session: '', job: '' };
    const goOn = await pausePackaging(stack);
    await upload(stack, await clip('plain'), (opened) => Object.assign(ids, opened));
    await waitFor(
      async () =>
        (await stack.query('SELECT 1 FROM segments WHERE job_id = $1 LIMIT 1', [ids.job])).length === 1,
      { what: 'the first segment' },
    );
    expect((await jobOf(stack, ids.job)).status).toBe('processing');
    await new SluiceClient({ uploadUrl: stack.urls.upload }).cancel(ids.session);
    await goOn();
    expect(await jobEnd(stack, ids.job)).toMatchObject({ status: 'failed', error_code: 'cancelled' });
    await waitUntilClean(stack, ids);
    await waitFor(
      async () => {
        const [asset] = await stack.query(
          'SELECT a.status FROM assets a JOIN jobs j ON j.asset_id = a.id WHERE j.id = $1',
          [ids.job],
        );
        return asset?.status === 'deleted';
      },
      { what: 'the asset to be deleted' },
    );
    const spans = await stack.query(
      `SELECT status FROM spans WHERE job_id = $1 AND status IN ('pending', 'running')`,
      [ids.job],
    );
    expect(spans).toEqual([]);
    // What a late writer could still have added would be there by now: the deletion waited for its lease.
    await waitUntilClean(stack, ids);
  });

  it('the service is still up: a good video goes through after all of that', async () => {
    const job = await mustComplete(stack, await upload(stack, await clip('one-frame')));
    expect(job.status).toBe('completed');
  });
});
