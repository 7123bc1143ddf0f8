import { createRequire } from 'node:module';
import type { Browser } from 'playwright-core';

const HLS = createRequire(import.meta.url).resolve('hls.js/dist/hls.js');

/** What `globalThis.hlsState` of the page holds; seconds. */
export interface HlsState {
  ended: boolean;
  time: number;
  duration: number;
  width: number;
  decoded: number;
  buffered: [number, number][];
  errors: string[];
}

const PAGE = '<!doctype html><title>HLS</title><video muted></video><script src="/hls.test.js"></script>';

/** A page with nothing but hls.js, as anybody may write it, put in front of the gateway's own for its origin. */
export async function hlsVisit(
  browser: Browser,
  gateway: string,
  playlist: string,
): Promise<{ state(): Promise<HlsState>; close(): Promise<void> }> {
  const context = await browser.newContext();
  await context.route(`${gateway}/hls.test.html`, (route) =>
    route.fulfill({ contentType: 'text/html', body: PAGE }),
  );
  await context.route(`${gateway}/hls.test.js`, (route) =>
    route.fulfill({ contentType: 'text/javascript', path: HLS }),
  );
  const page = await context.newPage();
  await page.goto(`${gateway}/hls.test.html`);
  await page.evaluate(play, playlist);
  const read = () => (globalThis as unknown as { readHls(): HlsState }).readHls();
  return { state: () => page.evaluate(read), close: () => context.close() };
}

/** Runs in the page. */
function play(url: string): void {
  const { Hls, document } = globalThis as unknown as HlsGlobals;
  const video = document.querySelector('video');
  const errors: string[] = [];
  const hls = new Hls();
  hls.on('hlsError', (_event, { fatal, details, error }) =>
    errors.push(`${fatal ? 'fatal ' : ''}${details}: ${error.message}`),
  );
  hls.on('hlsManifestParsed', () => {
    video.playbackRate = 2;
    video.play();
  });
  hls.loadSource(url);
  hls.attachMedia(video);
  Object.assign(globalThis, {
    readHls: (): HlsState => ({
      ended: video.ended,
      time: video.currentTime,
      duration: video.duration,
      width: video.videoWidth,
      decoded: video.getVideoPlaybackQuality().totalVideoFrames,
      buffered: Array.from({ length: video.buffered.length }, (_, i) => [
        video.buffered.start(i),
        video.buffered.end(i),
      ]),
      errors,
    }),
  });
}

interface Video extends EventTarget {
  currentTime: number;
  playbackRate: number;
  duration: number;
  ended: boolean;
  videoWidth: number;
  buffered: { length: number; start(i: number): number; end(i: number): number };
  getVideoPlaybackQuality(): { totalVideoFrames: number };
  play(): Promise<void>;
}

interface HlsGlobals {
  document: { querySelector(selector: string): Video };
  Hls: new () => {
    on(event: string, listener: (event: string, data: HlsError) => void): void;
    loadSource(url: string): void;
    attachMedia(video: EventTarget): void;
  };
}

interface HlsError {
  fatal: boolean;
  details: string;
  error: Error;
}
