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
];
