import { basename } from 'node:path';
import type { Browser } from 'playwright-core';
import { expect } from 'vitest';
import { type Stack, waitFor } from '#testing';
import type { Picture } from '../clips/picture.js';
import { film } from '../overlap/films.js';
import { HeldUpload, type Holding } from '../overlap/held-upload.js';
import { jobOf, mustComplete } from '../pipeline/harness.js';
import { type Playing, type Watching, watch } from './playing.js';
import { bars, cardOf } from './scene.js';

/** Seconds of the video that have been sent, at least, before they are played. */
const AHEAD = 4;
const CHUNKS = 24;
/** Who plays slower gets a chunk as often as this all the same. */
const LINE_MS = 1000;

export interface Showing {
  name: string;
  order: Holding['order'];
  picture: Picture;
  /** Begun once, when so many seconds have been played; it ends before the last byte is sent. */
  meanwhile?: { after: number; act(): Promise<void> };
}

/**
 * Sends a film about as fast as it is played, by the product's own page, from as soon as it can be
 * played: through each segment, each border of spans and the end of the job.
 */
export async function playsFromTheStart(stack: Stack, browser: Browser, showing: Showing): Promise<void> {
  const { meanwhile } = showing;
  const { file } = await film(showing.name);
  const seconds = showing.picture.frames / Number(showing.picture.rate);
  const upload = await HeldUpload.open(stack, file, { order: showing.order, chunks: CHUNKS });
  let [sent, lastSent] = [0, 0];
  const sendTo = async (played: number) => {
    const due = Math.min(CHUNKS - 1, Math.ceil((CHUNKS * (played + AHEAD)) / seconds));
    // A browser whose sound had run out wants more of it, before it goes on, than there may be.
    const isLate = sent < CHUNKS - 1 && performance.now() - lastSent > LINE_MS;
    for (const end = isLate ? Math.max(due, sent + 1) : due; sent < end; lastSent = performance.now()) {
      sent += 1;
      await upload.sendTo((sent + 0.5) / CHUNKS);
    }
  };
  await sendTo(0);
  await waitFor(async () => (await jobOf(stack, upload.job)).playback.early, { what: 'something to play' });
  const watching = await watch(browser, stack.urls.gateway, upload.job);
  try {
    let acting: Promise<void> | undefined;
    // All but the last chunk is there by then.
    await untilPlayed(stack, upload.job, watching, async ({ time }) => {
      await sendTo(time);
      if (meanwhile && time > meanwhile.after) acting ??= meanwhile.act();
      return time >= seconds - AHEAD;
    });
    expect(await jobOf(stack, upload.job)).toMatchObject({ status: 'processing' });
    await showsTheUpload(watching, basename(file));
    await acting;
    await upload.finish();
    await untilPlayed(stack, upload.job, watching, async ({ ended }) => ended);
    await expectWhole(watching, showing.picture);
    await mustComplete(stack, upload.job);
    await expectSameEnd(stack, upload.job, watching);
  } finally {
    await watching.close();
  }
}

/** With what is played and what is stored where it does not come to pass. */
async function untilPlayed(
  stack: Stack,
  job: string,
  watching: Watching,
  isThere: (playing: Playing) => Promise<boolean>,
): Promise<void> {
  const what = { what: 'the video to be played', timeoutMs: 60_000, intervalMs: 100 };
  try {
    await waitFor(async () => isThere(await watching.playing()), what);
  } catch (error) {
    const { shown, ...playing } = await watching.playing();
    const spans = await stack.query(
      `SELECT n.kind, n.first_segment, n.status, n.released, n.bytes_to, n.lease_number, s.bytes_received,
         (SELECT count(*) FROM segments g WHERE g.span_id = n.id) AS stored
       FROM spans n JOIN upload_sessions s ON s.job_id = n.job_id WHERE n.job_id = $1 ORDER BY n.position`,
      [job],
    );
    const errors = await watching.playerErrors();
    throw new Error([playing, errors, ...spans].map((one) => JSON.stringify(one)).join('\n'), {
      cause: error,
    });
  }
}

/** Who only watches sees somebody else's upload go on. */
async function showsTheUpload({ page }: Watching, name: string): Promise<void> {
  const card = cardOf(page, name);
  await card.getByText('Uploading and encoding', { exact: true }).waitFor();
  const sent = (await bars(card)).get('Upload of this video');
  expect(sent).toBeGreaterThan(0);
  expect(sent).toBeLessThan(100);
}

async function expectWhole(watching: Watching, { frames, rate }: Picture): Promise<void> {
  const seconds = frames / Number(rate);
  const { shown, time, duration, decoded, seeks, holes } = await watching.playing();
  expect(
    (await watching.playerErrors()).filter(({ fatal, details }) => fatal || /Hole|Nudge/.test(details)),
  ).toEqual([]);
  expect(watching.troubles).toEqual([]);
  expect({ seeks, holes }).toEqual({ seeks: [], holes: [] });
  expect(decoded).toBe(frames);
  expect(shown).toEqual([...shown].sort((a, b) => a - b));
  const segments = new Set(shown.map((at) => Math.floor(at)));
  expect([...segments]).toEqual(Array.from({ length: Math.ceil(seconds) }, (_, i) => i));
  expect(Math.abs(duration - seconds)).toBeLessThan(0.1);
  expect(time).toBe(duration);
}

/** The playlists that were played grew, never changed what they had said, ended, and are those of the finished stream. */
async function expectSameEnd(stack: Stack, job: string, { playlists }: Watching): Promise<void> {
  const media = [...playlists].filter(([path]) => path.split('/').length > 4);
  expect(media.length).toBeGreaterThan(1);
  for (const [path, editions] of media) {
    const lists = editions.map(linesOf);
    const last = lists.at(-1) ?? [];
    for (const list of lists.slice(0, -1)) expect(last.slice(0, list.length)).toEqual(list);
    expect(editions[0]).not.toContain('#EXT-X-ENDLIST');
    expect(editions.at(-1)).toContain('#EXT-X-ENDLIST');
    expect(editions.at(-1)).not.toContain('#EXT-X-DISCONTINUITY');
    const finished = new URL(path.replace('early.m3u8', 'index.m3u8'), stack.urls.gateway);
    expect(linesOf(await (await fetch(finished)).text())).toEqual(last);
  }
  expect((await jobOf(stack, job)).playback.hls).not.toBeNull();
}

const linesOf = (playlist: string): string[] =>
  playlist.split('\n').filter((line) => /^#EXTINF|^[^#]/.test(line));
