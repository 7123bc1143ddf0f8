import { endOf, type FetchedRendition, startOf } from './rendition.js';

/** Audio and video begin and end together within this, read from the boxes. */
const TOGETHER_SECONDS = 0.05;

const show = (seconds: number) => `${seconds.toFixed(4)} s`;

/** Every segment can be decoded on its own, and decode times run on without gap or overlap. */
export function checkSegments(rendition: FetchedRendition): string[] {
  const { name, track, segments } = rendition;
  const problems: string[] = [];
  let expected = segments[0]?.samples[0]?.decode ?? 0;
  let ended = Number.NEGATIVE_INFINITY;
  for (const [index, segment] of segments.entries()) {
    const where = `${name}, segment ${index}`;
    for (const sample of segment.samples) {
      if (sample.decode !== expected) {
        const way = sample.decode > expected ? 'a gap' : 'an overlap';
        problems.push(`${where}: ${way} of ${Math.abs(sample.decode - expected)} ticks in decode time`);
        expected = sample.decode;
      }
      if (sample.duration <= 0) problems.push(`${where}: a sample without duration`);
      expected += sample.duration;
    }
    const start = startOf(rendition, segment);
    if (start < ended - 1.5 / track.timescale) {
      problems.push(`${where} is presented from ${show(start)}, before the one ahead ends at ${show(ended)}`);
    }
    ended = endOf(rendition, segment);
    if (track.kind === 'video') problems.push(...checkVideoStart(where, segment));
  }
  return problems;
}

function checkVideoStart(where: string, segment: FetchedRendition['segments'][number]): string[] {
  const problems: string[] = [];
  const first = segment.samples[0];
  if (!first?.sync) problems.push(`${where} does not begin with a sample that is flagged as sync`);
  if (!segment.begins) problems.push(`${where} does not begin with an IDR or key frame`);
  if (first && segment.samples.some((sample) => sample.present < first.present)) {
    problems.push(`${where} has frames that are shown before its key frame (open GOP)`);
  }
  return problems;
}

/** Segment borders are the same instants in all video renditions; half a tick of rounding is allowed. */
export function checkBorders(renditions: FetchedRendition[]): string[] {
  const videos = renditions.filter((rendition) => rendition.track.kind === 'video');
  const [reference, ...others] = videos;
  if (!reference) return ['there is no video rendition'];
  const starts = reference.segments.map((segment) => startOf(reference, segment));
  return others.flatMap((other) => {
    if (other.segments.length !== starts.length) {
      return [`${other.name} has ${other.segments.length} segments, ${reference.name} has ${starts.length}`];
    }
    const allowed = 1 / Math.min(other.track.timescale, reference.track.timescale);
    return other.segments.flatMap((segment, index) => {
      const start = startOf(other, segment);
      const expected = starts[index] ?? 0;
      if (Math.abs(start - expected) <= allowed) return [];
      return [
        `segment ${index} begins at ${show(start)} in ${other.name}, at ${show(expected)} in ${reference.name}`,
      ];
    });
  });
}

export interface Extent {
  name: string;
  kind: 'video' | 'audio';
  start: number;
  end: number;
}

/** From the earliest to the latest presentation time of a rendition, in seconds. */
export function extentOf(rendition: FetchedRendition): Extent {
  const starts = rendition.segments.map((segment) => startOf(rendition, segment));
  const ends = rendition.segments.map((segment) => endOf(rendition, segment));
  return {
    name: rendition.name,
    kind: rendition.track.kind,
    start: Math.min(...starts),
    end: Math.max(...ends),
  };
}

/** All renditions begin and end together within 50 ms. */
export function checkTogether(extents: Extent[]): string[] {
  const [reference, ...others] = extents;
  if (!reference) return ['there is no rendition'];
  const problems: string[] = [];
  for (const other of others) {
    for (const edge of ['start', 'end'] as const) {
      const apart = Math.abs(other[edge] - reference[edge]);
      if (apart > TOGETHER_SECONDS) {
        problems.push(
          `${other.name} has its ${edge} at ${show(other[edge])}, ${reference.name} at ${show(reference[edge])}: ${Math.round(apart * 1000)} ms apart`,
        );
      }
    }
  }
  return problems;
}
