import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobView } from '#contracts';
import { testDir, waitFor } from '#testing';
import { bearer, type Deployment, startDeployment } from '../access/tenants.js';
import { chromiumPath, launch, visit } from './chromium.js';
import { dashVisit } from './dash.js';
import { cardOf, currentTime, drop, ended, hasten, makeClip } from './scene.js';

const SECONDS = 4;
const CLIP = 'members only.mp4';

describe.skipIf(!chromiumPath)(
  'the page of a service with keys (skipped where no Chromium is installed)',
  () => {
    let deployment: Deployment;
    let browser: Browser;
    let clip: Buffer;
    let key: string;
    let job: JobView;

    beforeAll(async () => {
      const dir = await testDir('keys');
      [deployment, browser, clip] = await Promise.all([
        startDeployment({ services: {}, env: { ENCODER_PRESET: 'ultrafast', SEGMENT_SECONDS: '1' } }),
        launch(),
        makeClip(join(dir, 'clip.mp4'), SECONDS, '426x240'),
      ]);
      key = (await deployment.tenant('harbour')).key;
    });
    afterAll(async () => {
      await browser?.close();
      await deployment?.stop();
    });

    it('asks who comes, takes a video from who may send one, and plays it from signed addresses', async () => {
      const { page, troubles, requests, playerErrors, close } = await visit(
        browser,
        deployment.stack.urls.gateway,
      );
      const input = page.getByLabel('API key or upload token');
      await input.fill('not a key');
      await page.getByRole('button', { name: 'Go on' }).click();
      await page.getByRole('alert').getByText('That one was not taken').waitFor();
      await input.fill(key);
      await input.press('Enter');
      await page.getByRole('heading', { name: 'Drop a video, watch it at once' }).waitFor();
      await drop(page, CLIP, clip);
      const card = cardOf(page, CLIP);
      await waitFor(async () => (await card.getAttribute('data-status')) === 'completed', {
        what: 'the job to complete',
        timeoutMs: 60_000,
      });
      await hasten(card);
      await waitFor(() => ended(card), { what: 'the end of the video', timeoutMs: 60_000 });
      expect(await currentTime(card)).toBeGreaterThan(SECONDS - 0.5);
      expect((await playerErrors()).filter(({ fatal }) => fatal)).toEqual([]);
      const media = requests.filter((url) => new URL(url).pathname.startsWith('/media/'));
      expect(media.some((url) => url.includes('/seg_'))).toBe(true);
      expect(media.filter((url) => !url.includes('/media/signed/'))).toEqual([]);
      // The gateway's own answer to a stranger is all that the console has to complain of.
      expect(troubles.filter((trouble) => !trouble.includes('401'))).toEqual([]);
      const id = (await card.getByRole('link').first().getAttribute('href'))?.split('/').at(-1);
      const answer = await fetch(`${deployment.stack.urls.gateway}/jobs/${id}`, { headers: bearer(key) });
      job = (await answer.json()) as JobView;
      await close();
    }, 180_000);

    it('S1-08 signed DASH plays to its end in dash.js', async () => {
      expect(job.playback.dash).toContain('/media/signed/');
      const { state, close } = await dashVisit(
        browser,
        deployment.stack.urls.gateway,
        job.playback.dash ?? '',
      );
      await waitFor(async () => (await state()).ended || (await state()).errors.length > 0, {
        what: 'the end of the video',
        timeoutMs: 60_000,
      });
      const { errors, time } = await state();
      expect(errors).toEqual([]);
      expect(time).toBeGreaterThan(SECONDS - 0.5);
      await close();
    }, 120_000);

    it('takes a token from behind the # of an address, keeps it for the tab, and cancels with it', async () => {
      const { page, close } = await visit(
        browser,
        `${deployment.stack.urls.gateway}/watch/${job.id}#token=${encodeURIComponent(key)}`,
      );
      await page.getByRole('heading', { name: CLIP }).waitFor();
      expect(page.url()).not.toContain(key);
      // Another file than the one that is known by now, and one that never comes whole.
      await page.goto(deployment.stack.urls.gateway);
      await page.route('**/bytes/**', () => undefined);
      await drop(page, 'unwanted.mp4', Buffer.concat([clip, Buffer.from('\0\0\0\x08free')]));
      const card = cardOf(page, 'unwanted.mp4');
      await card.getByRole('button', { name: 'Cancel unwanted.mp4' }).click();
      await card.getByText('Cancelled', { exact: true }).waitFor();
      await close();
    }, 120_000);
  },
);
