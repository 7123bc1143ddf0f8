import type { Browser } from 'playwright-core';
import { type Visit, visit } from './chromium.js';

/** What a page's `<video>` has done since it began; times in seconds. */
export interface Playing {
  /** Of the pictures that were shown, in their order. */
  shown: number[];
  time: number;
  duration: number;
  ended: boolean;
  /** Decoded pictures, those that came too late to be shown among them. */
  decoded: number;
  /** Where it jumped to, the player's own jumps over holes among them. */
  seeks: number[];
  /** More ranges than one in `video.buffered`, or one that does not begin at 0. */
  holes: string[];
}

export interface Watching extends Visit {
  playing(): Promise<Playing>;
  /** Every edition of each playlist that the player has fetched, by its path. */
  playlists: Map<string, string[]>;
}

/** Opens the page of a video, and keeps a record of what its player does. */
export async function watch(browser: Browser, gateway: string, job: string): Promise<Watching> {
  const visiting = await visit(browser, 'about:blank');
  const { page } = visiting;
  const playlists = new Map<string, string[]>();
  page.on('response', (response) => {
    const path = new URL(response.url()).pathname;
    if (!path.endsWith('.m3u8') || !response.ok()) return;
    const editions = playlists.get(path) ?? [];
    playlists.set(path, editions);
    response.text().then(
      (text) => editions.push(text),
      () => undefined,
    );
  });
  await page.addInitScript(record);
  await page.goto(`${gateway}/watch/${job}`);
  const read = () => (globalThis as unknown as { readPlaying(): Playing }).readPlaying();
  return { ...visiting, playlists, playing: () => page.evaluate(read) };
}

/** Runs in the page, before its own scripts. */
function record(): void {
  const { document } = globalThis as unknown as { document: EventTarget };
  const shown: number[] = [];
  const holes = new Set<string>();
  let video: Video | null = null;
  const seeks: number[] = [];
  const look = (_now: number, { mediaTime }: { mediaTime: number }) => {
    shown.push(mediaTime);
    next();
  };
  const next = () => video?.requestVideoFrameCallback(look);
  const on = (type: string, listener: (target: Video) => void) =>
    document.addEventListener(type, ({ target }) => listener(target as Video), true);
  on('loadstart', (target) => {
    if (video === target) return;
    video = target;
    next();
  });
  on('seeking', ({ currentTime }) => {
    seeks.push(currentTime);
  });
  const check = ({ buffered }: Video) => {
    const ranges = Array.from({ length: buffered.length }, (_, i) => [buffered.start(i), buffered.end(i)]);
    if (ranges.length > 1 || (ranges[0]?.[0] ?? 0) > 0) holes.add(JSON.stringify(ranges));
  };
  for (const type of ['timeupdate', 'progress', 'waiting', 'ended']) on(type, check);
  Object.assign(globalThis, {
    readPlaying: (): Playing => ({
      shown,
      time: video?.currentTime ?? 0,
      duration: video?.duration ?? Number.NaN,
      ended: video?.ended ?? false,
      decoded: video?.getVideoPlaybackQuality().totalVideoFrames ?? 0,
      seeks,
      holes: [...holes],
    }),
  });
}

interface Video extends EventTarget {
  currentTime: number;
  duration: number;
  ended: boolean;
  buffered: { length: number; start(i: number): number; end(i: number): number };
  getVideoPlaybackQuality(): { totalVideoFrames: number };
  requestVideoFrameCallback(callback: (now: number, frame: { mediaTime: number }) => void): number;
}
