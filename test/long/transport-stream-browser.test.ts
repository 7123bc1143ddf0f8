import { describe, expect, it } from 'vitest';
import { startStack, waitFor } from '#testing';
import { chromiumPath, launch } from '../browser/chromium.js';
import { hlsVisit } from '../browser/hls.js';
import { spoken } from '../clips/spoken.js';
import { MANY_SPANS, mustComplete, upload } from '../pipeline/harness.js';

describe.skipIf(!chromiumPath)('MPEG-TS (skipped where no Chromium is installed)', () => {
  it('S0-11 plays from its start to its end in hls.js, every picture, without a hole', async () => {
    const [stack, browser] = await Promise.all([
      startStack({ env: { ...MANY_SPANS, HLS_TS: 'true' } }),
      launch(),
    ]);
    try {
      const source = await spoken({ file: 'spoken.mkv', seconds: 3, textCodecs: ['subrip', 'ass'] });
      const job = await mustComplete(stack, await upload(stack, source));
      const url = new URL(job.playback.hls_ts ?? '', stack.urls.gateway).href;
      const { state } = await hlsVisit(browser, stack.urls.gateway, url);
      const played = await waitFor(
        async () => {
          const now = await state();
          return (now.ended || now.errors.some((one) => one.startsWith('fatal'))) && now;
        },
        { what: 'the video to be played', timeoutMs: 30_000 },
      );
      // One append of sound that brings nothing new is a notice of hls.js, after which it goes on.
      expect(played.errors.filter((one) => !one.startsWith('bufferAppendNoProgress'))).toEqual([]);
      expect(played).toMatchObject({ width: 426, decoded: 75 });
      expect(played.duration).toBeCloseTo(3, 1);
      expect(played.buffered).toHaveLength(1);
      expect(played.buffered[0]?.[0]).toBeCloseTo(0, 1);
    } finally {
      await browser.close();
      await stack.stop();
    }
  }, 60_000);
});
