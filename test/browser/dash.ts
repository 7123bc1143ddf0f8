import { createRequire } from 'node:module';
import type { Browser, Page } from 'playwright-core';

const DASH = createRequire(import.meta.url).resolve('dashjs');

/** What `globalThis.dashState` of the page holds. */
export interface DashState {
  ended: boolean;
  /** Seconds. */
  time: number;
  /** Every error event of dash.js and of the element. */
  errors: string[];
}

const PAGE = '<!doctype html><title>DASH</title><video muted></video><script src="/dash.test.js"></script>';

/** A page with dash.js, put in front of the gateway's own so that it has the gateway's origin. */
export async function dashVisit(
  browser: Browser,
  gateway: string,
  manifest: string,
): Promise<{ page: Page; state(): Promise<DashState>; close(): Promise<void> }> {
  const context = await browser.newContext();
  await context.route(`${gateway}/dash.test.html`, (route) =>
    route.fulfill({ contentType: 'text/html', body: PAGE }),
  );
  await context.route(`${gateway}/dash.test.js`, (route) =>
    route.fulfill({ contentType: 'text/javascript', path: DASH }),
  );
  const page = await context.newPage();
  await page.goto(`${gateway}/dash.test.html`);
  await page.evaluate((url) => {
    const { dashjs, document } = globalThis as unknown as DashGlobals;
    const video = document.querySelector('video');
    const state = { ended: false, time: 0, errors: [] as string[] };
    Object.assign(globalThis, { dashState: state });
    const player = dashjs.MediaPlayer().create();
    const fail = (event: unknown) =>
      state.errors.push(JSON.stringify(event, ['type', 'error', 'code', 'message']));
    player.on(dashjs.MediaPlayer.events.ERROR, fail);
    player.on(dashjs.MediaPlayer.events.PLAYBACK_ERROR, fail);
    video.addEventListener('error', () => fail({ type: 'element' }));
    video.addEventListener('timeupdate', () => {
      state.time = video.currentTime;
    });
    video.addEventListener('playing', () => {
      video.playbackRate = 2;
    });
    video.addEventListener('ended', () => {
      state.ended = true;
    });
    player.initialize(video, url, true);
  }, manifest);
  return {
    page,
    state: () => page.evaluate(() => (globalThis as unknown as { dashState: DashState }).dashState),
    close: () => context.close(),
  };
}

interface DashGlobals {
  document: { querySelector(selector: string): EventTarget & { currentTime: number; playbackRate: number } };
  dashjs: {
    MediaPlayer: (() => { create(): DashPlayer }) & { events: { ERROR: string; PLAYBACK_ERROR: string } };
  };
}

interface DashPlayer {
  on(event: string, listener: (event: unknown) => void): void;
  initialize(video: EventTarget, url: string, autoplay: boolean): void;
}
