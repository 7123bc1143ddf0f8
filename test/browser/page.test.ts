import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Stack, startStack, testDir, waitFor } from '#testing';
import { spoken } from '../clips/spoken.js';
import { isLongRun } from '../long-run.js';
import { mustComplete, pausePackaging, upload } from '../pipeline/harness.js';
import { chromiumPath, launch, visit } from './chromium.js';
import { dashVisit } from './dash.js';
import { bars, cardOf, currentTime, drop, ended, hasten, makeClip } from './scene.js';

const SECONDS = 12;
const CLIP = 'harbour at dawn.mp4';

/** Set by the first test; the later ones look at the same video. */
let jobId = '';

describe.skipIf(!chromiumPath)('the page in Chromium (skipped where no Chromium is installed)', () => {
  let stack: Stack;
  let browser: Browser;
  let clip: Buffer;

  beforeAll(async () => {
    const dir = await testDir('page');
    // One short span after the other: there is time between the first picture and the last.
    const env = { ENCODER_PRESET: 'veryfast', SPAN_SECONDS: '4', SPAN_CONCURRENCY: '1' };
    [stack, browser, clip] = await Promise.all([
      startStack({ env }),
      launch(),
      makeClip(join(dir, 'clip.mp4'), SECONDS, '640x360'),
    ]);
  });

  afterAll(async () => {
    await browser?.close();
    await stack?.stop();
  });

  const statusOf = async (id: string) =>
    ((await (await fetch(`${stack.urls.gateway}/jobs/${id}`)).json()) as { status: string }).status;

  it('S3-11 a dropped video shows moving bars and plays before its job is complete', async () => {
    const { page, troubles, playerErrors, close } = await visit(browser, stack.urls.gateway);
    // The job cannot complete meanwhile, however quick the machine is.
    const goOn = await pausePackaging(stack);
    await drop(page, CLIP, clip);
    const card = cardOf(page, CLIP);
    await card.waitFor();
    const seen: number[] = [];
    const overall = `All of ${CLIP}`;
    await waitFor(
      async () => {
        const value = (await bars(card)).get(overall);
        if (value !== null && value !== undefined && value !== seen.at(-1)) seen.push(value);
        return (await card.locator('video').count()) > 0;
      },
      { what: 'the player', timeoutMs: 60_000, intervalMs: 100 },
    );
    await waitFor(async () => (await currentTime(card)) > 0.5, { what: 'the video to play' });
    jobId = (await card.getByRole('link').first().getAttribute('href'))?.split('/').at(-1) ?? '';
    expect(await statusOf(jobId)).toBe('processing');
    expect((await bars(card)).get(`Upload of ${CLIP}`)).toBe(100);
    const first = await currentTime(card);
    await waitFor(async () => (await currentTime(card)) > first + 0.5, { what: 'the picture to move on' });
    expect(await statusOf(jobId)).toBe('processing');
    await goOn();

    await waitFor(
      async () => {
        const value = (await bars(card)).get(overall);
        if (value !== null && value !== undefined && value !== seen.at(-1)) seen.push(value);
        return (await card.getAttribute('data-status')) === 'completed';
      },
      { what: 'the job to complete', timeoutMs: 180_000, intervalMs: 100 },
    );
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(seen.length).toBeGreaterThan(2);
    expect(await card.getByLabel(`HLS address of ${CLIP}`).inputValue()).toContain('/master.m3u8');
    expect(await card.getByLabel(`DASH address of ${CLIP}`).inputValue()).toContain('/manifest.mpd');

    // The early playlist gains its end; the running player goes on without a break.
    await hasten(card);
    await waitFor(() => ended(card), { what: 'the early playlist to end', timeoutMs: 60_000 });
    expect((await playerErrors()).filter((error) => error.fatal)).toEqual([]);
    expect(await currentTime(card)).toBeGreaterThan(SECONDS - 0.5);
    expect(troubles).toEqual([]);

    await page.reload();
    await waitFor(async () => (await cardOf(page, CLIP).getAttribute('data-status')) === 'completed', {
      what: 'the list to come back after a reload',
    });
    await close();
  }, 300_000);

  it('S1-08 HLS plays to its end in hls.js without an error event', async () => {
    const { page, troubles, requests, playerErrors, close } = await visit(
      browser,
      `${stack.urls.gateway}/watch/${jobId}`,
    );
    const card = cardOf(page, CLIP);
    await waitFor(async () => (await currentTime(card)) > 0, { what: 'the video to play' });
    await hasten(card);
    await waitFor(() => ended(card), { what: 'the end of the video', timeoutMs: 60_000 });
    expect(await currentTime(card)).toBeGreaterThan(SECONDS - 0.5);
    expect(requests.some((url) => url.endsWith('/master.m3u8'))).toBe(true);
    expect(requests.filter((url) => url.endsWith('/early.m3u8'))).toEqual([]);
    expect(await playerErrors()).toEqual([]);
    expect(troubles).toEqual([]);
    await close();
  }, 120_000);

  it('S1-08 DASH plays to its end in dash.js without an error event', async () => {
    const view = (await (await fetch(`${stack.urls.gateway}/jobs/${jobId}`)).json()) as {
      playback: { dash: string };
    };
    const { state, close } = await dashVisit(browser, stack.urls.gateway, view.playback.dash);
    await waitFor(async () => (await state()).ended || (await state()).errors.length > 0, {
      what: 'the end of the video',
      timeoutMs: 60_000,
    });
    const { errors, time } = await state();
    expect(errors).toEqual([]);
    expect(time).toBeGreaterThan(SECONDS - 0.5);
    await close();
  }, 120_000);

  it.runIf(isLongRun)(
    'S1-08 a video in several languages has a menu of them, and plays the one that is chosen',
    async () => {
      const file = await spoken({ file: 'spoken.mkv', seconds: 3, textCodecs: ['subrip', 'ass'] });
      const id = await upload(stack, file);
      await mustComplete(stack, id);
      const { page, troubles, requests, playerErrors, close } = await visit(
        browser,
        `${stack.urls.gateway}/watch/${id}`,
      );
      const card = cardOf(page, 'spoken.mkv');
      const menu = card.getByRole('combobox', { name: 'Audio of this video' });
      await menu.waitFor();
      expect(await menu.locator('option').allTextContents()).toEqual([
        ...['English', "Kommentar 'der' <Regie>", '日本語'],
      ]);
      expect(await menu.inputValue()).toBe('English');
      expect(requests.some((url) => url.includes('/audio-3/seg_'))).toBe(false);
      await menu.selectOption('日本語');
      await waitFor(() => requests.some((url) => url.includes('/audio-3/seg_')), { what: 'the other sound' });
      await waitFor(() => ended(card), { what: 'the end of the video', timeoutMs: 60_000 });
      expect(await menu.inputValue()).toBe('日本語');
      expect((await playerErrors()).filter((error) => error.fatal)).toEqual([]);
      expect(troubles).toEqual([]);
      await close();
    },
    120_000,
  );

  it('S3-05 a text file that is named .mp4 gets its sentence, and others are refused at once', async () => {
    const { page, close } = await visit(browser, stack.urls.gateway);
    await drop(page, 'notes.mp4', Buffer.from('These are words, not pictures. '.repeat(200)));
    const card = cardOf(page, 'notes.mp4');
    await card.getByText('Failed', { exact: true }).waitFor();
    const sentence = (await card.locator('.sentence').textContent()) ?? '';
    expect(sentence).toMatch(/video/);
    await drop(page, 'notes.txt', Buffer.from('words'));
    await page.getByRole('alert').getByText('“notes.txt” is not a kind of video').waitFor();
    await drop(page, 'empty.mp4', Buffer.alloc(0));
    await page.getByRole('alert').getByText('“empty.mp4” is empty').waitFor();
    await card.getByRole('button', { name: 'Remove notes.mp4 from the list' }).click();
    await card.waitFor({ state: 'detached' });
    await close();
  });

  it('S3-03 cancel ends the upload and the job', async () => {
    const { page, close } = await visit(browser, stack.urls.gateway);
    // Another file than the one that is known by now.
    const goOn = await pausePackaging(stack);
    await drop(page, 'unwanted.mp4', Buffer.concat([clip, Buffer.from('\0\0\0\x08free')]));
    const card = cardOf(page, 'unwanted.mp4');
    await card.getByRole('progressbar', { name: '240p of unwanted.mp4' }).waitFor({ timeout: 60_000 });
    const id = (await card.getByRole('link').first().getAttribute('href'))?.split('/').at(-1) ?? '';
    await card.getByRole('button', { name: 'Cancel unwanted.mp4' }).click();
    await card.getByText('Cancelled', { exact: true }).waitFor();
    expect(await statusOf(id)).toBe('failed');
    await goOn();
    await close();
  }, 120_000);

  it('S3-06 an upload that a reload interrupted goes on when the same file is chosen again', async () => {
    const { page, close } = await visit(browser, stack.urls.gateway);
    // The last bytes hang until the page is gone.
    await page.route('**/bytes/**', async (route) => {
      if (route.request().url().endsWith('/bytes/0')) await route.continue();
    });
    const large = Buffer.concat([clip, Buffer.alloc(Math.max(0, 9_000_000 - clip.length))]);
    await drop(page, 'holiday.mp4', large);
    const card = cardOf(page, 'holiday.mp4');
    await waitFor(async () => ((await bars(card)).get('Upload of holiday.mp4') ?? 0) > 10, {
      what: 'the first bytes to be confirmed',
    });
    page.on('dialog', (dialog) => void dialog.accept());
    await page.reload();
    await card.getByText('Interrupted', { exact: true }).waitFor();
    await page.unrouteAll({ behavior: 'ignoreErrors' });
    const sent: string[] = [];
    page.on('request', (request) => {
      if (request.method() === 'PUT') sent.push(request.url());
    });
    await drop(page, 'holiday.mp4', large);
    await waitFor(async () => (await bars(card)).get('Upload of holiday.mp4') === 100, {
      what: 'the rest to be sent',
    });
    expect(sent.length).toBeGreaterThan(0);
    expect(sent.filter((url) => url.endsWith('/bytes/0'))).toEqual([]);
    expect(await page.getByRole('article').count()).toBe(1);
    await card.getByRole('button', { name: 'Cancel holiday.mp4' }).click();
    await card.getByText('Cancelled', { exact: true }).waitFor();
    await close();
  }, 120_000);
});
