import { makeFile, type Recipe } from './make.js';
import { numberedPicture, type Picture, tone } from './picture.js';

export interface Truth {
  /** Width / height as a person sees it, rotation and pixel shape applied. */
  aspect: number;
  sound: boolean;
  /** Every frame has the same distance: each must come out once. Otherwise the grid decides. */
  constantRate: boolean;
  /** The sound outlasts the picture: its last frame is held. */
  held: boolean;
  /** May be copied by the rule of docs/contracts.md. */
  fit: boolean;
}

export interface Clip extends Truth {
  name: string;
  recipe: Recipe;
}

export const fileOf = (clip: Clip): Promise<string> => makeFile(clip.recipe);

const lavfi = (graph: string) => ['-f', 'lavfi', '-i', graph];
const H264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-crf', '26'];
const B_FRAMES = ['-bf', '2', '-b_strategy', '0'];
const AAC = ['-c:a', 'aac', '-b:a', '64k'];
const FRONT = ['-movflags', '+faststart'];
/** Closed GOPs of `frames`, one SPS, nothing between. */
const gop = (frames: number) => ['-g', `${frames}`, '-keyint_min', `${frames}`, '-sc_threshold', '0'];

export const PLAIN: Picture = { width: 854, height: 480, rate: '25', frames: 250 };
const SMALL: Picture = { width: 426, height: 240, rate: '25', frames: 75 };
const FIT: Picture = { width: 640, height: 360, rate: '24', frames: 168 };
const seconds = (picture: Picture) => {
  const [num = 1, den = 1] = picture.rate.split('/').map(Number);
  return (picture.frames * den) / num;
};

interface Making extends Partial<Truth> {
  picture?: Picture;
  file?: string;
  sound?: boolean;
  audio?: string;
  /** Options before the audio input. */
  audioInput?: string[];
  encode?: string[];
  afterwards?: string[][];
  keep?: number;
}

function clip(name: string, making: Making = {}): Clip {
  const picture = making.picture ?? SMALL;
  const sound = making.sound ?? true;
  const audio = [...(making.audioInput ?? []), ...lavfi(making.audio ?? tone(seconds(picture)))];
  const first = [
    ...lavfi(numberedPicture(picture)),
    ...(sound ? audio : []),
    ...(making.encode ?? [...H264, ...B_FRAMES, '-g', '300', ...AAC, ...FRONT]),
    '%out',
  ];
  return {
    name,
    recipe: { file: making.file ?? `${name}.mp4`, steps: [first, ...(making.afterwards ?? [])] },
    sound,
    aspect: making.aspect ?? picture.width / picture.height,
    constantRate: making.constantRate ?? true,
    held: making.held ?? false,
    fit: making.fit ?? false,
  };
}

// Within the 360p rung's bit rate cap, too.
const fitEncode = ['-c:v', 'libx264', '-preset', 'veryfast', '-crf', '30', ...B_FRAMES, ...gop(48), ...AAC];
const openGop = 'keyint=48:min-keyint=48:scenecut=0:open-gop=1:bframes=2:b-adapt=0';
const dropSome = "select='if(lt(t,1),1,if(lt(t,2),mod(n,5),not(mod(n,3))))',setpts=PTS+mod(N*7\\,5)*0.002/TB";

/** Plain files, and those whose times are strange. */
export const TIMED: Clip[] = [
  clip('plain', { picture: PLAIN }),
  clip('moov-at-the-end', { encode: [...H264, ...B_FRAMES, '-g', '300', ...AAC] }),
  clip('ntsc-rate', { picture: { ...SMALL, rate: '30000/1001', frames: 90 } }),
  clip('fragmented', {
    encode: [...H264, ...B_FRAMES, '-g', '300', ...AAC, '-movflags', 'frag_keyframe+empty_moov'],
  }),
  clip('variable-rate', {
    picture: { ...SMALL, frames: 100 },
    constantRate: false,
    encode: [
      '-vf',
      dropSome,
      '-fps_mode',
      'vfr',
      ...H264,
      ...B_FRAMES,
      '-video_track_timescale',
      '90000',
      ...AAC,
    ],
  }),
  clip('no-sound', { sound: false }),
  clip('sound-longer', { audio: tone(4), held: true }),
  clip('sound-shorter', { audio: tone(2) }),
  clip('sound-late', { audio: tone(2.3), audioInput: ['-itsoffset', '0.7'] }),
  clip('one-frame', { picture: { ...SMALL, rate: '30', frames: 1 } }),
  clip('one-frame-no-sound', { picture: { ...SMALL, rate: '30', frames: 1 }, sound: false }),
];

/** Pictures that are not 16:9 square 8-bit progressive, and sound that is not stereo at 48 kHz. */
export const SHAPED: Clip[] = [
  clip('rotated-phone', {
    picture: { width: 360, height: 640, rate: '25', frames: 75 },
    encode: ['-vf', 'transpose=cclock', ...H264, ...B_FRAMES, '-g', '300', ...AAC],
    afterwards: [['-i', '%in', '-c', 'copy', '-metadata:s:v', 'rotate=270', '%out']],
  }),
  clip('portrait', { picture: { width: 240, height: 426, rate: '25', frames: 75 } }),
  clip('odd-size', {
    picture: { width: 321, height: 241, rate: '25', frames: 50 },
    encode: [...H264, '-pix_fmt', 'yuv444p', ...AAC],
  }),
  clip('pixels-not-square', {
    picture: { width: 360, height: 288, rate: '25', frames: 50 },
    aspect: 4 / 3,
    encode: ['-vf', 'setsar=16/15', ...H264, ...B_FRAMES, ...AAC],
  }),
  clip('interlaced', {
    picture: { width: 352, height: 288, rate: '25', frames: 75 },
    encode: [...H264, '-flags', '+ildct+ilme', '-x264-params', 'tff=1', ...AAC],
  }),
  clip('ten-bit', { encode: [...H264, ...B_FRAMES, '-pix_fmt', 'yuv420p10le', ...AAC] }),
  // Small enough to be its own lowest rung, and fit.
  clip('tiny', { picture: { width: 64, height: 48, rate: '25', frames: 50 }, fit: true }),
  clip('mono-44k', { audio: tone(3, 'sample_rate=44100'), encode: [...H264, ...AAC, '-ac', '1'] }),
  clip('surround', { encode: [...H264, '-af', 'pan=5.1|c0=c0|c1=c0|c2=c0|c3=c0|c4=c0|c5=c0', ...AAC] }),
];

/** Other containers and codecs (S3-05). */
export const CONTAINED: Clip[] = [
  clip('matroska', { file: 'matroska.mkv', encode: [...H264, ...B_FRAMES, '-c:a', 'libopus'] }),
  clip('webm', {
    file: 'webm.webm',
    encode: ['-c:v', 'libvpx', '-deadline', 'realtime', '-b:v', '400k', '-c:a', 'libvorbis'],
  }),
  clip('avi', {
    constantRate: false,
    file: 'avi.avi',
    encode: ['-c:v', 'mpeg4', '-q:v', '5', '-c:a', 'libmp3lame'],
  }),
  clip('transport-stream', { file: 'stream.ts', encode: [...H264, ...B_FRAMES, '-g', '300', ...AAC] }),
  clip('ogg', { file: 'ogg.ogv', encode: ['-c:v', 'libtheora', '-q:v', '6', '-c:a', 'libvorbis'] }),
  clip('3gp', {
    file: 'phone.3gp',
    picture: { width: 352, height: 288, rate: '25', frames: 50 },
    aspect: 4 / 3,
    encode: ['-vf', 'setsar=12/11', '-c:v', 'h263', '-q:v', '5', ...AAC, '-ar', '8000', '-ac', '1'],
  }),
];

/** Fit to be copied, and those that only look it. */
export const COPIED: Clip[] = [
  clip('fit', { picture: FIT, fit: true, encode: [...fitEncode, ...FRONT] }),
  clip('fit-moov-at-the-end', { picture: FIT, fit: true, encode: fitEncode }),
  clip('fit-no-sound', { picture: FIT, fit: true, sound: false, encode: [...fitEncode, ...FRONT] }),
  clip('open-gop', {
    picture: FIT,
    encode: ['-c:v', 'libx264', '-preset', 'veryfast', '-x264-params', openGop, ...AAC, ...FRONT],
  }),
  clip('edit-list', {
    picture: FIT,
    encode: [...fitEncode, ...FRONT],
    afterwards: [['-ss', '1.5', '-i', '%in', '-c', 'copy', '%out']],
  }),
];

export const GOOD: Clip[] = [...TIMED, ...SHAPED, ...CONTAINED, ...COPIED];

export const LONGER: Picture = { ...SMALL, frames: 200 };
export const FIT_LONGER: Picture = { ...FIT, frames: 192 };

export type Overlapped = Clip & { order: 'ends-first' | 'in-order' };

/** Long enough to be played while the rest of them is sent; in the order that their container needs. */
export const ARRIVING: Overlapped[] = [
  { ...clip('longer', { picture: LONGER }), order: 'in-order' },
  {
    ...clip('longer-moov-last', { picture: LONGER, encode: [...H264, ...B_FRAMES, '-g', '300', ...AAC] }),
    order: 'ends-first',
  },
  {
    ...clip('longer-fit', { picture: FIT_LONGER, encode: [...fitEncode, ...FRONT], fit: true }),
    order: 'ends-first',
  },
  {
    ...clip('longer-fragmented', {
      picture: LONGER,
      encode: [...H264, ...B_FRAMES, '-g', '50', ...AAC, '-movflags', 'frag_keyframe+empty_moov'],
    }),
    order: 'in-order',
  },
  {
    ...clip('longer-matroska', {
      picture: LONGER,
      file: 'longer.mkv',
      encode: [...H264, ...B_FRAMES, '-g', '50', '-c:a', 'libopus'],
    }),
    order: 'in-order',
  },
  {
    ...clip('longer-webm', {
      picture: LONGER,
      file: 'longer.webm',
      encode: ['-c:v', 'libvpx', '-deadline', 'realtime', '-b:v', '400k', '-g', '50', '-c:a', 'libvorbis'],
    }),
    order: 'ends-first',
  },
  {
    ...clip('longer-avi', {
      picture: LONGER,
      constantRate: false,
      file: 'longer.avi',
      encode: ['-c:v', 'mpeg4', '-q:v', '5', '-g', '50', '-c:a', 'libmp3lame'],
    }),
    order: 'ends-first',
  },
  {
    ...clip('longer-stream', {
      picture: LONGER,
      file: 'longer.ts',
      encode: [...H264, ...B_FRAMES, '-g', '50', ...AAC],
    }),
    order: 'in-order',
  },
  {
    ...clip('longer-ogg', {
      picture: LONGER,
      file: 'longer.ogv',
      encode: ['-c:v', 'libtheora', '-q:v', '6', '-g', '50', '-c:a', 'libvorbis'],
    }),
    order: 'ends-first',
  },
];

/** An index at the end, one that follows, none; the other containers take their time with `npm run test:long`. */
const OFTEN = ['longer-moov-last', 'longer-fit', 'longer-stream'];
export const OVERLAPPED = ARRIVING.filter(({ name }) => OFTEN.includes(name));
export const OVERLAPPED_MORE = ARRIVING.filter(({ name }) => !OFTEN.includes(name));
