import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Stack, startStack, waitFor } from '#testing';
import { chromiumPath, launch, visit } from '../browser/chromium.js';
import { cardOf, currentTime } from '../browser/scene.js';
import { fileOf, TIMED } from '../clips/good.js';
import { MANY_SPANS, mustComplete, upload } from '../pipeline/harness.js';

const PATIENCE = 120_000;
const plain = TIMED.find(({ name }) => name === 'plain')!;

describe.skipIf(!chromiumPath)('the page in Chromium (skipped where no Chromium is installed)', () => {
  let stack: Stack;
  let browser: Browser;
  let job = '';

  beforeAll(async () => {
    const env = { ...MANY_SPANS, POSTER: 'true', STORYBOARD_TILES: '100', DOWNLOADS: 'top' };
    [stack, browser] = await Promise.all([startStack({ env }), launch()]);
    job = await upload(stack, await fileOf(plain));
    await mustComplete(stack, job, PATIENCE);
  }, PATIENCE);

  afterAll(async () => {
    await browser?.close();
    await stack?.stop();
  });

  it.each([
    { width: 390, height: 844 },
    { width: 1280, height: 800 },
  ])(
    'shows the poster, and scenes that are pointed at and gone to ($width pixels wide)',
    async (viewport) => {
      const { page, troubles, close } = await visit(browser, `${stack.urls.gateway}/watch/${job}`, {
        viewport,
        reducedMotion: 'reduce',
      });
      const card = cardOf(page, 'plain.mp4');
      const strip = card.getByRole('slider', { name: 'Scenes of' });
      await strip.waitFor();
      const poster = await card.locator('video').getAttribute('poster');
      const picture = await fetch(new URL(poster ?? '', stack.urls.gateway));
      expect(picture.headers.get('content-type')).toBe('image/jpeg');
      const box = (await strip.boundingBox())!;
      expect(box.x + box.width).toBeLessThanOrEqual(viewport.width);
      const middle = { x: box.width * 0.55, y: box.height / 2 };
      await strip.hover({ position: middle });
      await strip.getByText('0:05', { exact: true }).waitFor();
      await strip.click({ position: middle });
      await waitFor(async () => Math.abs((await currentTime(card)) - 5) < 1, {
        what: 'the video to go there',
      });
      await strip.press('ArrowLeft');
      await waitFor(async () => (await currentTime(card)) < 1, { what: 'the video to go back' });
      expect(troubles).toEqual([]);
      await close();
    },
    PATIENCE,
  );

  it('offers the video as a file, which plays as it is', async () => {
    const { page, troubles, close } = await visit(browser, `${stack.urls.gateway}/watch/${job}`);
    const link = cardOf(page, 'plain.mp4').getByRole('link', { name: 'Download plain.mp4 in 480p' });
    const [saved] = await Promise.all([page.waitForEvent('download'), link.click()]);
    expect(saved.suggestedFilename()).toBe('plain 480p.mp4');
    await saved.cancel();
    const played = await page.evaluate(`(async () => {
      const video = Object.assign(document.createElement('video'), { muted: true });
      const heard = (name) => new Promise((resolve) => video.addEventListener(name, resolve));
      const ready = heard('canplay');
      video.src = ${JSON.stringify(await link.getAttribute('href'))};
      await ready;
      video.currentTime = 9;
      const ended = heard('ended');
      await video.play();
      await ended;
      return { duration: video.duration, width: video.videoWidth };
    })()`);
    expect(played).toEqual({ duration: expect.closeTo(10, 1), width: 854 });
    expect(troubles).toEqual([]);
    await close();
  }, 60_000);
});
