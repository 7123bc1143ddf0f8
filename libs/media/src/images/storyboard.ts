import type { Plan } from '../plan/plan.js';
import { jpegRun, TO_JPEG } from './poster.js';

/** Pixels of a tile's long side. */
const LONG_SIDE = 160;
const COLUMNS = 10;
/** A tile for less time than this cannot be pointed at. */
const SHORTEST_SECONDS = 1;

export interface StoryboardSegment {
  index: number;
  /** In ticks of the rendition. */
  startTicks: number;
  durationTicks: number;
}

export interface StoryboardPlan {
  /** Segments that are read, ascending. */
  segments: number[];
  /** Only their key frames are decoded: each tile is the first picture of a segment. */
  keyFramesOnly: boolean;
  /** Of each tile, the time of its picture in ticks; ascending, the first is 0. */
  times: number[];
  endTicks: number;
  timescale: number;
  tile: { width: number; height: number };
  columns: number;
  rows: number;
}

export interface StoryboardSource {
  width: number;
  height: number;
  timescale: number;
  frameTicks: number;
  /** All of a rendition, ascending. */
  segments: readonly StoryboardSegment[];
}

/**
 * Pure: at most `most` pictures, evenly spread. Where they lie further apart than segments begin, the first
 * pictures of segments are taken, so that of a long video only those segments are read and only their key
 * frames decoded; of a short one all segments are.
 */
export function planStoryboard(source: StoryboardSource, most: number): StoryboardPlan {
  const { segments, timescale, frameTicks } = source;
  const last = segments.at(-1);
  const endTicks = last ? last.startTicks + last.durationTicks : 0;
  const interval = Math.max(SHORTEST_SECONDS * timescale, endTicks / most);
  const starts = spreadStarts(segments, interval);
  const sparse = segments.length > most;
  const times = sparse ? starts.map((segment) => segment.startTicks) : spreadFrames();
  const scale = Math.min(1, LONG_SIDE / Math.max(source.width, source.height));
  return {
    segments: (sparse ? starts : segments).map((segment) => segment.index),
    keyFramesOnly: sparse,
    times,
    endTicks,
    timescale,
    tile: { width: even(source.width * scale), height: even(source.height * scale) },
    columns: Math.min(COLUMNS, times.length),
    rows: Math.ceil(times.length / COLUMNS),
  };

  function spreadFrames(): number[] {
    const count = Math.max(1, Math.min(most, Math.floor(endTicks / interval)));
    return Array.from({ length: count }, (_, i) => Math.floor((i * interval) / frameTicks) * frameTicks);
  }
}

/** From the first one on, each that begins an interval or more after the one taken before. */
function spreadStarts(segments: readonly StoryboardSegment[], interval: number): StoryboardSegment[] {
  const taken: StoryboardSegment[] = [];
  for (const segment of segments) {
    const before = taken.at(-1);
    if (!before || segment.startTicks - before.startTicks >= interval) taken.push(segment);
  }
  return taken;
}

/** Half a tick around each time: pictures of the rendition lie on its ticks. */
const HALF = 0.5;

/** One JPEG of all tiles, row by row. */
export function storyboardRun(
  plan: Plan,
  storyboard: StoryboardPlan,
  run: { source: string; target: string },
): string[] {
  const { times, timescale, tile, columns, rows } = storyboard;
  const wanted = times
    .map((ticks) => [ticks - HALF, ticks + HALF].map((at) => (at / timescale).toFixed(6)))
    .map(([from, to]) => `between(t,${from},${to})`);
  const filters = [
    `select='${wanted.join('+')}'`,
    `scale=${tile.width}:${tile.height}:flags=area,setsar=1`,
    `tile=${columns}x${rows}`,
    TO_JPEG,
  ].join(',');
  const decoder = storyboard.keyFramesOnly ? ['-skip_frame', 'nokey'] : [];
  return jpegRun(plan, run.source, decoder, filters, run.target);
}

/** WebVTT in which each cue names its part of the sprite (Media Fragments, `xywh`). */
export function storyboardVtt(storyboard: StoryboardPlan, sprite: string): string {
  const { times, endTicks, timescale, tile, columns } = storyboard;
  const cues = times.map((start, i) => {
    const from = i === 0 ? 0 : start;
    const to = times[i + 1] ?? Math.max(endTicks, start + 1);
    const at = [(i % columns) * tile.width, Math.floor(i / columns) * tile.height];
    const place = [...at, tile.width, tile.height].join(',');
    return `${vttTime(from / timescale)} --> ${vttTime(to / timescale)}\n${sprite}#xywh=${place}\n`;
  });
  return `WEBVTT\n\n${cues.join('\n')}`;
}

function vttTime(seconds: number): string {
  const total = Math.round(seconds * 1000);
  const pad = (value: number, length = 2) => String(Math.floor(value)).padStart(length, '0');
  return `${pad(total / 3_600_000)}:${pad((total / 60_000) % 60)}:${pad((total / 1000) % 60)}.${pad(total % 1000, 3)}`;
}

const even = (value: number) => Math.max(2, Math.round(value / 2) * 2);
