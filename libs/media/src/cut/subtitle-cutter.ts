import type { Readable } from 'node:stream';
import type { SegmentSink } from './sink.js';

export interface SubtitleCut {
  /** Time 0 of all renditions, seconds on the clock that the cues come with. */
  zeroSeconds: number;
  /** Cues end here. */
  durationSeconds: number;
}

interface Cue {
  start: number;
  end: number;
  text: string;
}

/** A feature film has about 1,500; four hours of words that come one by one have fewer. */
const MOST_CUES = 20_000;
const LONGEST_CUE = 1000;
const MOST_TEXT = 4 * 1024 * 1024;

const TIMES = /^(?:(\d{1,4}):)?(\d\d):(\d\d)\.(\d{3}) --> (?:(\d{1,4}):)?(\d\d):(\d\d)\.(\d{3})(?:\s|$)/;
/** Bold, italic, underlined; every other tag is text. */
const KEPT_TAGS = /(<\/?[biu]>)/;

/**
 * Reads ffmpeg's WebVTT and writes one file of cues: nothing but times and escaped text comes out,
 * whatever the source says, bounded in number and size; what is beyond is left out. Times count from the
 * plan's zero, which is decode time 0 of all renditions (RFC 8216, 3.5: X-TIMESTAMP-MAP).
 */
export async function cutSubtitles(stream: Readable, cut: SubtitleCut, sink: SegmentSink): Promise<void> {
  const end = Math.max(1, Math.round(cut.durationSeconds * 1000));
  const cues = await readCues(stream, Math.round(cut.zeroSeconds * 1000), end);
  await sink.begin(0);
  await sink.write(Buffer.from(webVtt(cues)));
  await sink.end({ start: 0, duration: end });
}

async function readCues(stream: Readable, zero: number, end: number): Promise<Cue[]> {
  const cues: Cue[] = [];
  let open: Cue | null = null;
  let size = 0;
  const close = () => {
    if (open && open.text !== '' && open.end > 0 && open.start < end && open.end > open.start && fits(open))
      cues.push({ ...open, start: Math.max(0, open.start), end: Math.min(end, open.end) });
    open = null;
  };
  const fits = ({ text }: Cue) => {
    size += text.length;
    return cues.length < MOST_CUES && size <= MOST_TEXT;
  };
  for await (const line of linesOf(stream)) {
    const times = TIMES.exec(line);
    if (times) {
      close();
      open = { start: milliseconds(times, 1) - zero, end: milliseconds(times, 5) - zero, text: '' };
    } else if (line === '') close();
    else if (open) open.text = `${open.text}${open.text === '' ? '' : '\n'}${line}`.slice(0, LONGEST_CUE);
  }
  close();
  return cues.sort((a, b) => a.start - b.start || a.end - b.end);
}

/** Lines of any stream; one that is longer than a cue may be is cut short. */
async function* linesOf(stream: Readable): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk as Buffer, { stream: true })).split(/\r\n|[\r\n]/);
    rest = (lines.pop() ?? '').slice(0, LONGEST_CUE);
    yield* lines;
  }
  yield rest;
}

const milliseconds = (match: RegExpExecArray, from: number): number => {
  const [hours, minutes, seconds, rest] = [0, 1, 2, 3].map((i) => Number(match[from + i] ?? 0));
  return (((hours ?? 0) * 60 + (minutes ?? 0)) * 60 + (seconds ?? 0)) * 1000 + (rest ?? 0);
};

function webVtt(cues: readonly Cue[]): string {
  const head = 'WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n';
  return (
    head + cues.map(({ start, end, text }) => `\n${clock(start)} --> ${clock(end)}\n${safe(text)}\n`).join('')
  );
}

function clock(ms: number): string {
  const two = (value: number) => String(value).padStart(2, '0');
  const seconds = Math.floor(ms / 1000);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return `${two(hours)}:${two(minutes)}:${two(seconds % 60)}.${String(ms % 1000).padStart(3, '0')}`;
}

/** Text of a cue (WebVTT, 4.2.2): no control characters, no tag but those that are kept, no arrow. */
const safe = (text: string): string =>
  text
    .replace(/[^\P{Cc}\n]|\p{Cs}/gu, '')
    .split(KEPT_TAGS)
    .map((part, i) => (i % 2 === 1 ? part : escaped(part)))
    .join('');

const escaped = (text: string): string =>
  text
    .replace(/&(?!(?:amp|lt|gt|nbsp|lrm|rlm);)/g, '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;');
