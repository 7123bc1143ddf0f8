import {
  AUDIO_RENDITIONS,
  type AudioName,
  type OutputChoice,
  SUBTITLE_RENDITIONS,
  type SubtitleName,
} from '#contracts';
import type { SourceAnalysis } from '../probe/analyze.js';
import type { TrackWords } from '../probe/ffprobe.js';
import type { PlannedRendition } from './plan.js';

/** How a sound track is encoded. */
export interface AudioTrack {
  streamIndex: number;
  channels: number;
  sampleRate: number;
  bitRate: number;
}

export interface PlannedTracks {
  /** The default track first. */
  audio: (AudioTrack & { name: AudioName })[];
  subtitles: { name: SubtitleName; streamIndex: number }[];
  /** Tracks that the source has beyond the limits. */
  leftOut: { audio: number; subtitles: number };
  /** Of both, in this order. */
  renditions: PlannedRendition[];
}

export interface TrackLimits {
  /** At most so many; the names end at eight. */
  audioTracks?: number;
  subtitleTracks?: number;
  /** Bits per second of two channels. */
  audioBitRate?: number | null;
}

type Tracks = Pick<SourceAnalysis, 'audio' | 'otherAudio' | 'subtitles'>;

/** What the renditions of tracks share with the pictures. */
interface Extent {
  seconds: number;
  targetDuration: number;
  segments: number;
}

const AUDIO_RATE = 48_000;
const PEAK_FACTOR = 1.3;
/** Times of cues. */
const MILLISECONDS = 1000;
/** Bits per second that text stays below; no player chooses by it. */
const TEXT_RATE = 20_000;

/** The limits, with what the upload does not want left out. */
export const chosenTracks = ({ audio, subtitles }: OutputChoice, limits: TrackLimits): TrackLimits => ({
  ...limits,
  ...(audio === 'default' ? { audioTracks: 1 } : {}),
  ...(subtitles ? {} : { subtitleTracks: 0 }),
});

export function planTracks(source: Tracks, extent: Extent, limits: TrackLimits): PlannedTracks {
  const heard = source.audio ? [source.audio, ...source.otherAudio] : [];
  const audio = heard.slice(0, limits.audioTracks).flatMap((track, i) => {
    const name = AUDIO_RENDITIONS[i];
    return name ? [{ name, words: track, ...encodingOf(track, limits.audioBitRate) }] : [];
  });
  const subtitles = source.subtitles.slice(0, limits.subtitleTracks).flatMap((track, i) => {
    const name = SUBTITLE_RENDITIONS[i];
    return name ? [{ name, words: track, streamIndex: track.index }] : [];
  });
  return {
    audio: audio.map(({ words, ...track }) => track),
    subtitles: subtitles.map(({ words, ...track }) => track),
    // Who wants the default sound only, or no text, misses none.
    leftOut: {
      audio: limits.audioTracks === 1 ? 0 : heard.length - audio.length,
      subtitles: limits.subtitleTracks === 0 ? 0 : source.subtitles.length - subtitles.length,
    },
    renditions: [
      ...audio.map(
        ({ name, words, channels, sampleRate, bitRate }, i): PlannedRendition => ({
          ...{ name, kind: 'audio', ...wordsOf(words), channels, isDefault: i === 0, inStartSet: i === 0 },
          ...{ timescale: sampleRate, maxRate: bitRate, maxBitrate: Math.round(bitRate * PEAK_FACTOR) },
          ...{ targetDuration: extent.targetDuration, segments: extent.segments, ...WITHOUT_PICTURE },
        }),
      ),
      ...subtitles.map(
        ({ name, words }): PlannedRendition => ({
          ...{
            name,
            kind: 'subtitles',
            ...wordsOf(words),
            channels: null,
            isDefault: false,
            inStartSet: false,
          },
          ...{ timescale: MILLISECONDS, maxRate: TEXT_RATE, maxBitrate: TEXT_RATE },
          ...{ targetDuration: Math.ceil(extent.seconds), segments: 1, ...WITHOUT_PICTURE },
        }),
      ),
    ],
  };
}

const WITHOUT_PICTURE = { mode: 'encode', width: null, height: null } as const;

const wordsOf = ({ language, title, role }: TrackWords): TrackWords => ({ language, title, role });

const [STEREO, MONO] = [128_000, 80_000];

function encodingOf(track: { index: number; channels: number }, stereo?: number | null): AudioTrack {
  const channels = Math.min(2, track.channels);
  return {
    streamIndex: track.index,
    channels,
    sampleRate: AUDIO_RATE,
    bitRate: channels === 1 ? Math.min(MONO, stereo ?? MONO) : (stereo ?? STEREO),
  };
}
