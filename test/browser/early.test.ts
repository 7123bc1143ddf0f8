import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Stack, startStack, waitFor } from '#testing';
import { FIT_LONGER, PLAIN } from '../clips/good.js';
import { isLongRun } from '../long-run.js';
import { film } from '../overlap/films.js';
import { HeldUpload } from '../overlap/held-upload.js';
import { MANY_SPANS } from '../pipeline/harness.js';
import { chromiumPath, launch, visit } from './chromium.js';
import { playsFromTheStart } from './early.js';
import { cardOf } from './scene.js';

const PATIENCE = 120_000;
/** Spans keep a place while they read along, and two uploads run at once. */
const PLACES = { SPAN_CONCURRENCY: '4', FOLLOWER_CONCURRENCY: '6' };

interface Page {
  localStorage: { setItem(key: string, value: string): void };
}

describe.skipIf(!chromiumPath)(
  'a video that is played from its start while it is sent (skipped where no Chromium is installed)',
  { timeout: PATIENCE },
  () => {
    let stack: Stack;
    let browser: Browser;
    beforeAll(async () => {
      [stack, browser] = await Promise.all([startStack({ env: { ...MANY_SPANS, ...PLACES } }), launch()]);
    });
    afterAll(async () => {
      await browser?.close();
      await stack?.stop();
    });

    it('is not called interrupted in a list whose page does not send it', async () => {
      const { file, bytes } = await film('longer');
      const upload = await HeldUpload.open(stack, file, { order: 'in-order' });
      await upload.sendTo(0.1);
      const { page, close } = await visit(browser, `${stack.urls.gateway}/config.json`);
      const ids = { id: '1', jobId: upload.job, sessionId: upload.session };
      const entry = { ...ids, name: 'longer.mp4', size: bytes.length, sent: false, ended: false, addedAt: 1 };
      await page.evaluate(
        (rows) => (globalThis as unknown as Page).localStorage.setItem('sluice.videos', rows),
        JSON.stringify([entry]),
      );
      await page.goto(stack.urls.gateway);
      const card = cardOf(page, 'longer.mp4');
      await card.getByText('Interrupted', { exact: true }).waitFor();
      await waitFor(
        async () => {
          await upload.sendNext();
          return /^Uploading/.test((await card.locator('.stage').textContent()) ?? '');
        },
        { what: 'the upload to be seen', intervalMs: 500 },
      );
      await fetch(`${stack.urls.upload}/v1/upload/video/session/${upload.session}`, { method: 'DELETE' });
      await card.getByText('Cancelled', { exact: true }).waitFor();
      await close();
    });

    it.concurrent('runs in hls.js through every segment into the finished stream, encoded', () =>
      playsFromTheStart(stack, browser, { name: 'plain', order: 'in-order', picture: PLAIN }));

    it.runIf(isLongRun).concurrent(
      'S0-16 runs in hls.js through every segment, copied, and over the death of who copies',
      () =>
        playsFromTheStart(stack, browser, {
          name: 'longer-fit',
          order: 'ends-first',
          picture: FIT_LONGER,
          meanwhile: {
            after: 1,
            act: async () => {
              const copying = await stack.query(
                `SELECT status FROM spans WHERE kind = 'copy' AND status IN ('pending', 'running')`,
              );
              expect(copying).toHaveLength(1);
              await stack.kill('transcode');
              await stack.restart('transcode');
            },
          },
        }),
    );
  },
);
