import { run } from '../clips/run.js';
import { checkEachOnce, checkFollows, checkGrid, checkSamePictures, type Rate } from './frame-check.js';
import { complaintsOf, decodeNumbers, decodeThumbnails } from './frames.js';
import { type MultivariantPlaylist, readMultivariant, type Variant } from './playlist.js';
import { checkMediaPlaylist, checkMultivariant, checkVariant } from './playlist-check.js';
import { type FetchedRendition, fetchRendition, fetchText } from './rendition.js';
import { checkBorders, checkSegments, checkTogether, type Extent, extentOf } from './timeline.js';

export interface Expectation {
  /** The file that was uploaded; without it only the stream itself is judged. */
  source?: string;
  /** `numbered`: the source's frames carry numbers (test/clips); `pictures`: every other video. */
  frames?: 'numbered' | 'pictures';
  /** False: the source's frames are not evenly spaced, and the grid decides which are shown. */
  constantRate?: boolean;
  /** True: the last frame is held while the sound goes on. */
  held?: boolean;
  /** Width / height as a person sees it; checked within 1 %. */
  aspect?: number;
  sound?: boolean;
}

export interface Verified {
  /** What is wrong, each a sentence that says where. Empty: the stream is right. */
  problems: string[];
  extents: Extent[];
  /** Names of the video renditions as their URLs have them, best first. */
  videos: string[];
}

interface Loaded {
  multivariant: MultivariantPlaylist;
  videos: { variant: Variant; rendition: FetchedRendition }[];
  audio: FetchedRendition | undefined;
  otherAudio: FetchedRendition[];
}

/**
 * Judges a finished stream by what a player gets over HTTP: its multivariant playlist and, when
 * given, its MPD. Only what cannot be read at all ends the check early.
 */
export async function verifyStream(
  urls: { hls: string; dash?: string },
  expected: Expectation = {},
): Promise<Verified> {
  let loaded: Loaded;
  try {
    loaded = await load(urls.hls);
  } catch (error) {
    return { problems: [error instanceof Error ? error.message : String(error)], extents: [], videos: [] };
  }
  const renditions = [
    ...loaded.videos.map((video) => video.rendition),
    ...(loaded.audio ? [loaded.audio] : []),
    ...loaded.otherAudio,
  ];
  const extents = renditions.map(extentOf);
  const problems = [
    ...checkMultivariant(loaded.multivariant),
    ...loaded.videos.flatMap(({ variant, rendition }) => checkVariant(variant, rendition, loaded.audio)),
    ...renditions.flatMap(checkMediaPlaylist),
    ...renditions.flatMap(checkSegments),
    ...checkBorders(renditions),
    ...checkTogether(extents),
    ...checkShape(loaded, expected),
  ];
  // A playlist without an end is live to ffmpeg, which would wait for more of it.
  if (renditions.every(({ playlist }) => playlist.ended)) {
    problems.push(...(await checkPictures(loaded, expected)));
    for (const { name, playlist } of renditions.filter(({ track }) => track.kind === 'audio'))
      problems.push(...(await checkDecodes(`${name} (HLS)`, playlist.url)));
  }
  if (urls.dash) problems.push(...(await checkDash(urls.dash, renditions)));
  return { problems, extents, videos: loaded.videos.map((video) => video.rendition.name) };
}

const nameOf = (url: string) => new URL(url).pathname.split('/').at(-2) ?? url;

async function load(url: string): Promise<Loaded> {
  const multivariant = readMultivariant(await fetchText(url), url);
  const videos: Loaded['videos'] = [];
  for (const variant of multivariant.variants) {
    videos.push({ variant, rendition: await fetchRendition(nameOf(variant.url), variant.url) });
  }
  const tracks: FetchedRendition[] = [];
  for (const track of multivariant.audio) tracks.push(await fetchRendition(nameOf(track.url), track.url));
  const [audio, ...otherAudio] = tracks;
  return { multivariant, videos, audio, otherAudio };
}

function checkShape({ videos, audio }: Loaded, expected: Expectation): string[] {
  const problems: string[] = [];
  if (expected.sound !== undefined && expected.sound !== (audio !== undefined)) {
    problems.push(
      expected.sound
        ? 'the source has sound, the stream has none'
        : 'the source has no sound, the stream has',
    );
  }
  for (const { variant, rendition } of videos) {
    const aspect = variant.width / variant.height;
    // Both sides are even: a small picture cannot be nearer than half of that.
    const allowed = Math.max(0.01, 1 / Math.min(variant.width, variant.height));
    if (expected.aspect !== undefined && Math.abs(aspect / expected.aspect - 1) > allowed) {
      problems.push(
        `${rendition.name} is ${variant.width}x${variant.height}, ${expected.aspect.toFixed(3)} : 1 expected`,
      );
    }
  }
  return problems;
}

async function checkPictures({ videos }: Loaded, expected: Expectation): Promise<string[]> {
  const problems: string[] = [];
  const grid = videos[0] && rateOf(videos[0].rendition);
  const numbers =
    expected.source && expected.frames !== 'pictures' ? await decodeNumbers(expected.source) : null;
  const pictures =
    expected.source && expected.frames === 'pictures' && grid
      ? await decodeThumbnails(expected.source, `fps=${grid.num}/${grid.den}:start_time=0,`)
      : null;
  for (const { rendition } of videos) {
    const where = `${rendition.name} (HLS)`;
    if (pictures) {
      const decoded = await decodeThumbnails(rendition.playlist.url);
      problems.push(...decoded.complaints.map((line) => `${where}: ${line}`));
      problems.push(...checkSamePictures(where, decoded.frames, pictures.frames));
      continue;
    }
    const decoded = await decodeNumbers(rendition.playlist.url);
    problems.push(...decoded.complaints.map((line) => `${where}: ${line}`));
    problems.push(...checkGrid(where, decoded.frames, rateOf(rendition)));
    if (!numbers) continue;
    problems.push(
      ...(expected.constantRate === false
        ? checkFollows(where, decoded.frames, numbers.frames, rateOf(rendition))
        : checkEachOnce(where, decoded.frames, numbers.frames, expected.held)),
    );
  }
  return problems;
}

/** From the usual sample duration, so that one odd frame does not move the grid. */
function rateOf(rendition: FetchedRendition): Rate {
  const samples = rendition.segments.flatMap((segment) => segment.samples);
  const ticks = samples.reduce((sum, sample) => sum + sample.duration, 0);
  return { num: rendition.track.timescale * samples.length, den: ticks };
}

/** ffmpeg reads every stream of `url` without an error or a complaint about times. */
async function checkDecodes(where: string, url: string): Promise<string[]> {
  const result = await run('ffmpeg', [
    ...['-nostdin', '-loglevel', 'level+warning', '-xerror', '-copyts', '-i', url],
    ...['-map', '0', '-map', '-0:s', '-fps_mode', 'passthrough', '-f', 'null', '-'],
  ]);
  const problems = complaintsOf(result.stderr).map((line) => `${where}: ${line}`);
  if (result.code !== 0)
    problems.push(`${where}: ffmpeg ended with ${result.code}: ${result.stderr.trim().slice(-500)}`);
  return problems;
}

async function checkDash(url: string, renditions: FetchedRendition[]): Promise<string[]> {
  const text = await fetchText(url);
  const problems: string[] = [];
  const listed = text.match(/<Representation\b[^>]* codecs=/g)?.length ?? 0;
  if (listed !== renditions.length)
    problems.push(`the MPD lists ${listed} representations, HLS ${renditions.length}`);
  for (const { name, track } of renditions) {
    if (!text.includes(`codecs="${track.codecs}"`))
      problems.push(`the MPD does not name ${track.codecs}, the codecs of ${name}`);
  }
  return [...problems, ...(await checkDecodes('MPD', url))];
}
