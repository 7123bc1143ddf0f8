import type { RenditionProgress } from '#contracts';

/** Seconds between two samples, at least: one is written with a segment that comes anyway. */
const SAMPLE_EVERY = 2;
/** Seconds that the speed is taken over; slow work is looked at for longer, until there are so many samples. */
const WINDOW = 30;
const KEPT_AT_LEAST = 6;
/** Before there are so many, and so many seconds, nothing is said: encoders that begin are slower. */
const WARM = { samples: 3, seconds: 4 };
/** Who has stored nothing for so long, and for so many times what is usual, waits, and nobody knows until when. */
const SILENCE = { seconds: 10, times: 5 };
/** Segments do not come evenly; who is later than so many times what is usual has become slower. */
const LATE_TIMES = 2;

/** How far a job was: all renditions that one decode makes are one lane, each follower is one. */
export interface PaceSample {
  /** Seconds since the epoch, the database's clock. */
  at: number;
  /** Of the source, confirmed. */
  bytes: number;
  /** Seconds of video, stored and in all; null: the end is not known. */
  lanes: Record<string, [done: number, total: number | null]>;
}

/** `speed`: seconds of video in a second, over all workers. Null: nobody can know. */
export interface Pace {
  speed: number | null;
  /** Until all renditions are stored. */
  eta_seconds: number | null;
}

export const NO_PACE: Pace = { speed: null, eta_seconds: null };

export interface PacedRendition extends RenditionProgress {
  seconds_completed: number;
}

const ENCODED = 'video';

/** A rung is made with the others, or is the start span, which says nothing of how fast they are. */
const isEncoded = ({ kind, mode }: PacedRendition) => kind === 'video' && mode === 'encode';

/** Text is one segment, read at the end in no time. Null: some rung has nothing yet. */
export function lanesOf(all: readonly PacedRendition[]): PaceSample['lanes'] | null {
  const renditions = all.filter(({ kind }) => kind !== 'subtitles');
  if (renditions.some((r) => isEncoded(r) && r.segments_completed === 0)) return null;
  const segmentSeconds = Math.max(
    0,
    ...renditions.map((r) => r.seconds_completed / Math.max(1, r.segments_completed)),
  );
  const sums = new Map<string, { weight: number; done: number; total: number | null }>();
  for (const rendition of renditions) {
    const { segments_completed, segments_total, seconds_completed } = rendition;
    const encoded = isEncoded(rendition);
    // What a rung costs goes with its pixels.
    const weight = encoded ? (rendition.width ?? 1) * (rendition.height ?? 1) : 1;
    const usual = segments_completed > 0 ? seconds_completed / segments_completed : segmentSeconds;
    const left = segments_total === null ? null : Math.max(0, segments_total - segments_completed) * usual;
    const key = encoded ? ENCODED : rendition.name;
    const sum = sums.get(key) ?? { weight: 0, done: 0, total: 0 };
    sums.set(key, {
      weight: sum.weight + weight,
      done: sum.done + weight * seconds_completed,
      total: left === null || sum.total === null ? null : sum.total + weight * (seconds_completed + left),
    });
  }
  return Object.fromEntries(
    [...sums].map(([key, { weight, done, total }]) => [
      key,
      [round(done / weight), total === null ? null : round(total / weight)],
    ]),
  );
}

/** Null: the last one is too young for another. After a silence the past says nothing about what comes. */
export function withSample(samples: readonly PaceSample[], sample: PaceSample): PaceSample[] | null {
  const last = samples.at(-1);
  if (!last) return [sample];
  if (sample.at - last.at < SAMPLE_EVERY) return null;
  if (isSilent(samples, sample.at)) return [sample];
  const all = [...samples, sample];
  return all.filter(({ at }, i) => at >= sample.at - WINDOW || i >= all.length - KEPT_AT_LEAST);
}

/** `bytesTotal` null: nobody has said it. */
export interface Arrival {
  complete: boolean;
  bytesTotal: number | null;
}

export function paceOf(samples: readonly PaceSample[], now: number, arrival: Arrival): Pace {
  const [first, last] = [samples[0], samples.at(-1)];
  if (!first || !last || samples.length < WARM.samples || last.at - first.at < WARM.seconds) return NO_PACE;
  if (isSilent(samples, now)) return NO_PACE;
  const usual = usualGap(samples);
  const idle = Math.max(0, now - last.at);
  const isLate = idle > LATE_TIMES * usual;
  const rateOf = (value: (sample: PaceSample) => number) =>
    isLate
      ? (value(last) - value(first)) / (now - first.at)
      : slope(samples.map((sample) => ({ x: sample.at - last.at, y: value(sample) })));

  const lanes = Object.entries(last.lanes).map(([key, [done, total]]) => ({
    key,
    left: total === null ? null : Math.max(0, total - done),
    rate: rateOf((sample) => sample.lanes[key]?.[0] ?? 0),
  }));
  const open = lanes.filter(({ left }) => left === null || left > 0);
  const leading = lanes.find(({ key }) => key === ENCODED) ?? lanes[0];
  if (!leading || open.length === 0) return NO_PACE;
  const speed = leading.rate > 0 ? Math.round(leading.rate * 100) / 100 : null;

  const waits = open.map(({ left, rate }) => (left === null ? null : rate > 0 ? left / rate : undefined));
  if (!arrival.complete) {
    const rate = rateOf(({ bytes }) => bytes);
    const left = arrival.bytesTotal === null ? null : arrival.bytesTotal - last.bytes;
    waits.push(left === null || rate <= 0 ? null : left / rate);
  }
  // One that has not begun yet is a track beside the others; when it is all that is left nobody knows.
  const known = waits.filter((wait) => wait !== undefined);
  const isStuck = open.includes(leading) && leading.rate <= 0;
  if (isStuck || known.length === 0 || known.includes(null)) return { speed, eta_seconds: null };
  const longest = Math.max(...known.filter((wait) => wait !== null));
  return { speed, eta_seconds: Math.max(1, Math.ceil(longest - (isLate ? 0 : idle))) };
}

const round = (seconds: number) => Math.round(seconds * 1000) / 1000;

const usualGap = (samples: readonly PaceSample[]): number => {
  const [first, last] = [samples[0], samples.at(-1)];
  return first && last && samples.length > 1 ? (last.at - first.at) / (samples.length - 1) : 0;
};

const isSilent = (samples: readonly PaceSample[], now: number): boolean =>
  now - (samples.at(-1)?.at ?? now) > Math.max(SILENCE.seconds, SILENCE.times * usualGap(samples));

/** Of the line that fits best. */
function slope(points: readonly { x: number; y: number }[]): number {
  const mean = (of: (point: { x: number; y: number }) => number) =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const [x, y] = [mean((p) => p.x), mean((p) => p.y)];
  const spread = mean((p) => (p.x - x) ** 2);
  return spread === 0 ? 0 : mean((p) => (p.x - x) * (p.y - y)) / spread;
}
