import type { ErrorCode } from '#contracts';
import { makeFile, type Recipe } from './make.js';
import { numberedPicture, tone } from './picture.js';

/** A file that no stream can come of, and what a person is told. */
export interface BadFile {
  name: string;
  recipe: Recipe;
  /** Any of these, from the request or from the job. */
  codes: ErrorCode[];
}

export const badFileOf = (bad: BadFile): Promise<string> => makeFile(bad.recipe);

const picture = numberedPicture({ width: 320, height: 240, rate: '25', frames: 100 });
const inputs = ['-f', 'lavfi', '-i', picture, '-f', 'lavfi', '-i', tone(4)];
const h264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-c:a', 'aac'];
const text = (file: string, content: string): Recipe => ({ file, content: Buffer.from(content) });
const lavfi = (graph: string) => ['-f', 'lavfi', '-i', graph];
const PICTURES = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p'];
/** Pictures that are `seconds` apart. */
const apart = (seconds: number) => [
  ...['-vf', `setpts=N*${seconds}/TB`, '-fps_mode', 'passthrough', ...PICTURES, '-bf', '0'],
];
const UNREADABLE: ErrorCode[] = ['not_a_video', 'source_unreadable'];

export const BAD: BadFile[] = [
  {
    name: 'a truncated MP4 whose index says more',
    recipe: {
      file: 'truncated.mp4',
      steps: [[...inputs, ...h264, '-movflags', '+faststart', '%out']],
      keep: 0.6,
    },
    codes: ['source_truncated', 'source_unreadable', 'encode_failed'],
  },
  {
    name: 'an MP4 whose index is missing',
    recipe: { file: 'no-index.mp4', steps: [[...inputs, ...h264, '%out']], keep: 0.6 },
    codes: ['source_truncated', 'source_unreadable'],
  },
  {
    name: 'a text named .mp4',
    recipe: text('notes.mp4', 'Dear diary, this is not a video.\n'.repeat(100)),
    codes: UNREADABLE,
  },
  { name: 'an empty file', recipe: text('empty.mp4', ''), codes: ['empty_file', 'validation_failed'] },
  {
    name: 'an HLS playlist named .mp4, which would read other files',
    recipe: text(
      'playlist.mp4',
      '#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n',
    ),
    codes: UNREADABLE,
  },
  {
    name: 'an ffconcat script named .mp4',
    recipe: text('script.mp4', "ffconcat version 1.0\nfile 'other.mp4'\n"),
    codes: UNREADABLE,
  },
  {
    name: 'a picture named .mp4',
    recipe: {
      file: 'picture.mp4',
      steps: [
        ['-f', 'lavfi', '-i', 'testsrc2=s=320x240', '-frames:v', '1', '-c:v', 'png', '-f', 'image2', '%out'],
      ],
    },
    codes: UNREADABLE,
  },
  {
    name: 'a video that begins like an MP4 and goes on as noise',
    recipe: {
      file: 'noise.mp4',
      content: Buffer.concat([
        Buffer.from('\0\0\0\x18ftypisom\0\0\x02\0isomiso2', 'latin1'),
        Buffer.alloc(65_536, 0xa5),
      ]),
    },
    codes: ['source_unreadable', 'source_truncated'],
  },
  {
    name: 'a file with sound only',
    recipe: { file: 'sound.mp4', steps: [['-f', 'lavfi', '-i', tone(3), '-c:a', 'aac', '%out']] },
    codes: ['no_video_stream'],
  },
  {
    name: 'a small file of one enormous picture',
    recipe: { file: 'huge.mp4', steps: [[...lavfi('color=s=8192x8192:r=1:d=1'), ...PICTURES, '%out']] },
    codes: ['source_too_large'],
  },
  {
    name: 'three pictures over two days',
    recipe: { file: 'days.mp4', steps: [[...lavfi('testsrc2=s=64x64:r=1:d=3'), ...apart(100_000), '%out']] },
    codes: ['source_too_long'],
  },
  {
    name: 'four pictures over a night',
    recipe: { file: 'gaps.mkv', steps: [[...lavfi('testsrc2=s=64x64:r=1:d=4'), ...apart(10_000), '%out']] },
    codes: ['source_bit_rate_too_low'],
  },
  {
    name: 'thousands of pictures in a tenth of a second',
    recipe: {
      file: 'fast.mp4',
      steps: [[...lavfi('color=s=16x16:r=25000:d=0.12'), ...PICTURES, '%out']],
    },
    codes: ['source_frame_rate_too_high'],
  },
  {
    name: 'a movie of 300 tracks',
    recipe: {
      file: 'tracks.mov',
      steps: [
        [...lavfi('testsrc2=s=16x16:r=25:d=0.2'), '-c:v', 'mpeg4', '%out'],
        ['-i', '%in', ...Array.from({ length: 300 }, () => ['-map', '0:v']).flat(), '-c', 'copy', '%out'],
      ],
    },
    codes: ['source_too_many_streams'],
  },
  {
    name: 'pictures of more bits a second than are allowed',
    recipe: {
      file: 'bits.avi',
      steps: [[...lavfi('testsrc2=s=320x240:r=25:d=0.4'), '-c:v', 'rawvideo', '-pix_fmt', 'yuv420p', '%out']],
    },
    codes: ['source_bit_rate_too_high'],
  },
  ...(['url ', 'alis'] as const).map((refer) => ({
    name: `a movie whose samples are in a file of ours, by ${refer.trim()}`,
    recipe: {
      file: `${refer.trim()}.mov`,
      steps: [[...lavfi('testsrc2=s=320x240:r=25:d=1'), ...PICTURES, '%out']],
      refer,
    },
    codes: ['source_unreadable', 'encode_failed'] as ErrorCode[],
  })),
  ...(['stsz', 'stco'] as const).map((box) => ({
    name: `an index whose ${box} claims four thousand million entries`,
    recipe: {
      file: `${box}.mp4`,
      steps: [[...lavfi('testsrc2=s=64x64:r=25:d=1'), ...PICTURES, '%out']],
      patch: { box, at: box === 'stsz' ? 8 : 4, hex: 'fffffff0' },
    },
    codes: ['source_unreadable', 'probe_out_of_memory'] as ErrorCode[],
  })),
];
