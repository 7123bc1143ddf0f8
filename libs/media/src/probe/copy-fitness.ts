import { type Profile, USUAL_PROFILE } from '#contracts';
import { isIdr, nalLengthSize } from '../isobmff/idr.js';
import type { TrackIndex } from '../isobmff/index-reader.js';
import { isHdr } from '../plan/color.js';
import { planLadder } from '../plan/ladder.js';
import { toNumber } from '../plan/rational.js';
import type { ProbedVideo } from './ffprobe.js';
import { NotArrived, type SourceReader } from './source.js';
import type { VideoTimeline } from './timeline.js';

export interface CopyCandidate {
  video: ProbedVideo;
  index: TrackIndex | null;
  timeline: VideoTimeline;
  bitRate: number;
  source: SourceReader;
  /** For reading key frames; a source that takes longer is encoded. */
  limitMs: number;
  /** What it would be the top rung of; the usual one where nothing is said. */
  profile?: Profile;
}

const LONGEST_GOP_SECONDS = 6;
const PROFILES = ['Baseline', 'Constrained Baseline', 'Main', 'High'];

/**
 * Why a source can not be served as its own top rung; null when it can. A copied rung is what players
 * get, so everything that an encoded one promises must hold: H.264 4:2:0 8 bit, progressive, upright,
 * square pixels, constant rate, within the top rung's size and rate, GOPs of at most 6 s, and every sync
 * sample an IDR picture (open-GOP I frames are flagged as sync samples, too). Samples that have not arrived
 * yet are looked at when they are copied.
 */
export async function findObstacle(candidate: CopyCandidate): Promise<string | null> {
  const { index } = candidate;
  if (!index) return 'no index that can be trusted';
  const obstacle = ofHeader(candidate) ?? ofIndex(index, candidate.timeline);
  if (obstacle || !index.avcC) return obstacle ?? 'no avcC';
  return obstacleInSamples(candidate, index, index.avcC);
}

function ofHeader({ video, timeline, bitRate, profile = USUAL_PROFILE }: CopyCandidate): string | null {
  if (!profile.copy) return `profile ${profile.name} copies nothing`;
  // Players change between the rungs of one codec; between codecs they stop, or never go.
  if (profile.codec !== 'h264') return `profile ${profile.name} is of ${profile.codec}`;
  if (video.codec !== 'h264' || !PROFILES.includes(video.profile))
    return `codec ${video.codec} ${video.profile}`;
  if (video.pixelFormat !== 'yuv420p') return `pixel format ${video.pixelFormat}`;
  if (video.interlaced === true) return 'interlaced';
  if (isHdr(video)) return `transfer ${video.transfer}`;
  if (video.rotation !== 0) return 'rotated';
  if (video.sampleAspect.num !== video.sampleAspect.den) return 'pixels that are not square';
  if (!timeline.constantRate || toNumber(timeline.constantRate) > profile.maxFrameRate)
    return `a frame rate that varies or is above ${profile.maxFrameRate}`;
  const top = planLadder(video.width, video.height, toNumber(timeline.constantRate), profile.rungs)[0];
  if (!top || top.width !== video.width || top.height !== video.height)
    return 'a size that is not the top rung';
  if (bitRate > top.maxRate) return `${bitRate} bit/s, above the top rung's ${top.maxRate}`;
  return null;
}

function ofIndex(index: TrackIndex, timeline: VideoTimeline): string | null {
  if (index.sampleEntries !== 1 || !index.avcC) return 'more than one sample description';
  // avcC: version, profile, compatibility, level, length size, then the count of SPS, each with its length, then of PPS.
  const spsCount = (index.avcC[5] ?? 0) & 0x1f;
  const spsLength = index.avcC.length > 8 ? index.avcC.readUInt16BE(6) : 0;
  if (spsCount !== 1 || index.avcC[8 + spsLength] !== 1) return 'more than one SPS or PPS';
  if (index.keyTicks.length > index.sync.length) return 'more key frames than are looked at';
  const first = index.sync[0];
  if (!first || first.ticks !== index.startTicks) return 'it does not begin with a key frame';
  if (index.sync.some((sample) => sample.delay !== first.delay || sample.delay < 0))
    return 'key frames of uneven delay';
  const times = [...timeline.keyFrames, timeline.endSeconds];
  for (let i = 1; i < times.length; i++) {
    if ((times[i] as number) - (times[i - 1] as number) > LONGEST_GOP_SECONDS + 0.01)
      return `a GOP longer than ${LONGEST_GOP_SECONDS} s`;
  }
  return null;
}

const READS_AT_ONCE = 8;
const NOT_IDR = 'a sync sample that is not an IDR picture';

async function obstacleInSamples(
  { source, limitMs }: CopyCandidate,
  index: TrackIndex,
  avcC: Buffer,
): Promise<string | null> {
  const lengthSize = nalLengthSize(avcC);
  const until = performance.now() + limitMs;
  for (let i = 0; i < index.sync.length; i += READS_AT_ONCE) {
    if (performance.now() > until) return 'key frames that take too long to look at';
    const batch = index.sync.slice(i, i + READS_AT_ONCE);
    const looks = batch.map(({ offset, size }) =>
      isIdr(size, lengthSize, (start, end) => source.read(offset + start, offset + end)),
    );
    for (const look of await Promise.allSettled(looks)) {
      if (look.status === 'fulfilled' && !look.value) return NOT_IDR;
      if (look.status === 'rejected' && !(look.reason instanceof NotArrived)) throw look.reason;
      if (look.status === 'rejected') return null;
    }
  }
  return null;
}
