import { decodeNumbers } from './frames.js';
import { type MultivariantPlaylist, readMediaPlaylist, readMultivariant } from './playlist.js';
import { fetchBytes, fetchText } from './rendition.js';
import { readTransportStream } from './transport-stream.js';

/** Seconds that times in segments of MPEG-TS are behind those of CMAF (docs/contracts.md, Media). */
export const TS_ZERO = 10;

interface Member {
  name: string;
  cmaf: string;
  ts: string;
}

const nameOf = (url: string) => new URL(url).pathname.split('/').at(-2) ?? url;

/** A media playlist over MPEG-TS, as text and as segments. */
async function readTsPlaylist(url: string) {
  const text = await fetchText(url);
  const found = [...text.matchAll(/^#EXTINF:([\d.]+),\n(\S+)$/gm)];
  const segments = found.map(([, duration, uri]) => ({
    duration: Number(duration),
    url: new URL(uri ?? '', url).href,
  }));
  return { text, segments };
}

/**
 * Judges a finished stream over MPEG-TS by the one over CMAF, which `verifyStream` judges: the same
 * renditions, as many segments of the same durations, every packet in its place, the same pictures at the
 * same times.
 */
export async function verifyTsStream(urls: { hls: string; hls_ts: string }): Promise<string[]> {
  const [cmaf, ts] = [await load(urls.hls), await load(urls.hls_ts)];
  const problems: string[] = [];
  const theirs = new Map(members(cmaf).map(([name, url]) => [name, url]));
  const pairs = members(ts).map(([name, url]): Member => ({ name, ts: url, cmaf: theirs.get(name) ?? '' }));
  if (pairs.map(({ name }) => name).join() !== [...theirs.keys()].join())
    problems.push(`MPEG-TS has ${pairs.map(({ name }) => name)}, CMAF ${[...theirs.keys()]}`);
  let sound = 0;
  for (const pair of pairs.toReversed()) {
    const isSound = pair.name.startsWith('audio');
    const { problems: found, peak } = await verifyMember(pair, isSound);
    problems.push(...found.map((what) => `${pair.name} (TS): ${what}`));
    if (isSound) sound = Math.max(sound, peak);
    const variant = ts.variants.find(({ url }) => url === pair.ts);
    if (variant && peak + sound > variant.bandwidth * 1.5)
      problems.push(`${pair.name} (TS): BANDWIDTH ${variant.bandwidth}, a segment has ${peak + sound}`);
  }
  return problems;
}

const load = async (url: string): Promise<MultivariantPlaylist> =>
  readMultivariant(await fetchText(url), url);

/** Pictures first. */
const members = ({ variants, audio }: MultivariantPlaylist): [string, string][] =>
  [...variants, ...audio].map(({ url }) => [nameOf(url), url]);

async function verifyMember({ ts, cmaf }: Member, isSound: boolean) {
  const problems: string[] = [];
  const { text, segments } = await readTsPlaylist(ts);
  const other = readMediaPlaylist(await fetchText(cmaf), cmaf);
  if (/EXT-X-MAP|\.m4s/.test(text) || !text.includes('\n#EXT-X-VERSION:4\n')) problems.push('is not MPEG-TS');
  if (segments.map((one) => one.duration).join() !== other.segments.map((one) => one.duration).join())
    problems.push('its segments do not last as long as those of CMAF');
  const bytes: Buffer[] = [];
  for (const { url } of segments) bytes.push(await fetchBytes(url));
  const read = readTransportStream(bytes);
  problems.push(...read.problems);
  if (read.streamType !== (isSound ? 0x0f : 0x1b)) problems.push(`has streams of type ${read.streamType}`);
  const peak = Math.max(...segments.map(({ duration }, i) => ((bytes[i]?.length ?? 0) * 8) / duration));
  if (!isSound) problems.push(...(await samePictures(ts, cmaf)));
  return { problems, peak };
}

async function samePictures(ts: string, cmaf: string): Promise<string[]> {
  const [ours, theirs] = [await decodeNumbers(ts), await decodeNumbers(cmaf)];
  const problems = [...ours.complaints];
  if (ours.frames.length !== theirs.frames.length)
    return [...problems, `${ours.frames.length} frames, CMAF has ${theirs.frames.length}`];
  const odd = ours.frames.findIndex(({ time, number }, i) => {
    const other = theirs.frames[i];
    return number !== other?.number || Math.abs(time - TS_ZERO - (other?.time ?? 0)) > 1 / 45_000;
  });
  if (odd >= 0)
    problems.push(
      `frame ${odd} is ${JSON.stringify(ours.frames[odd])}, in CMAF ${JSON.stringify(theirs.frames[odd])}`,
    );
  return problems;
}
