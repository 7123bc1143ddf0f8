import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Stack, startStack, waitFor } from '#testing';
import { chromiumPath, launch } from '../browser/chromium.js';
import { playsFromTheStart } from '../browser/early.js';
import { LONGER, PLAIN } from '../clips/good.js';
import { MANY_SPANS } from '../pipeline/harness.js';

const PATIENCE = 240_000;
const LOWEST = '240p';

/** Two spans: each reads along with the upload, so that it is half done for seconds. */
const LONG_SPANS = { ...MANY_SPANS, SPAN_SECONDS: '5' };

describe.skipIf(!chromiumPath)(
  'a video that is sent and played (skipped where no Chromium is installed)',
  () => {
    let stack: Stack;
    let browser: Browser;
    beforeAll(async () => {
      [stack, browser] = await Promise.all([startStack({ env: LONG_SPANS }), launch()]);
    });
    afterAll(async () => {
      await browser?.close();
      await stack?.stop();
    });

    /** Spans of which the lowest rung's segments, some of them, are stored. */
    const halfDone = () =>
      stack.query(
        `SELECT s.id FROM spans s JOIN renditions r ON r.job_id = s.job_id AND r.name = $1
         JOIN segments g ON g.rendition_id = r.id AND g.span_id = s.id
         WHERE s.kind = 'video' AND s.status = 'running' AND s.segment_count > 1
         GROUP BY s.id HAVING count(*) < s.segment_count`,
        [LOWEST],
      );

    it(
      'S0-15 goes on at the next segment of a span that is interrupted, and hls.js plays over the seam',
      async () => {
        const act = async () => {
          await waitFor(async () => (await halfDone()).length > 0, {
            what: 'a span that is half done',
            timeoutMs: 60_000,
            intervalMs: 20,
          });
          await stack.kill('transcode');
          await stack.restart('transcode');
        };
        await playsFromTheStart(stack, browser, {
          ...{ name: 'plain', order: 'in-order', picture: PLAIN },
          meanwhile: { after: 0.5, act },
        });
        const seams = await stack.query(
          `SELECT g.span_id FROM segments g JOIN renditions r ON r.id = g.rendition_id AND r.name = $1
           GROUP BY g.span_id HAVING count(DISTINCT g.lease_number) > 1`,
          [LOWEST],
        );
        expect(seams.length).toBeGreaterThan(0);
      },
      PATIENCE,
    );

    it(
      'plays from its start to its end, its index last',
      () =>
        playsFromTheStart(stack, browser, { name: 'longer-moov-last', order: 'ends-first', picture: LONGER }),
      PATIENCE,
    );
  },
);
