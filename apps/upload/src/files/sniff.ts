import { SluiceError } from '#contracts';

/** How many first bytes decide; three packets of a transport stream with timestamps fit in. */
export const HEAD_BYTES = 1024;

/** `short`: these bytes may begin a video, but they are too few to say. */
export type Verdict = 'video' | 'other' | 'short';

/** Largest plausible size of each box that may come first; text happens to spell `free` at byte 4. */
const FIRST_BOXES: Record<string, number> = {
  ftyp: 4096,
  moov: 2 ** 30,
  mdat: 2 ** 32,
  wide: 4096,
  free: 2 ** 26,
  skip: 2 ** 26,
};
const SHORTEST = 12;
const SYNC = 0x47;

/** Recognises the containers of S3-05 by content: ISO-BMFF, Matroska/WebM, AVI, Ogg, MPEG-TS. */
export function sniff(head: Buffer): Verdict {
  if (head.length < SHORTEST) return 'short';
  if (isBox(head) || head.readUInt32BE(0) === 0x1a45dfa3) return 'video';
  const start = head.toString('latin1', 0, 4);
  if (start === 'OggS' || (start === 'RIFF' && head.toString('latin1', 8, 12) === 'AVI ')) return 'video';
  return transportStream(head);
}

export function refuseUnlessVideo(verdict: Verdict): void {
  if (verdict === 'video') return;
  throw new SluiceError(
    'not_a_video',
    'This file is not a video that we know (MP4, MOV, 3GP, MKV, WebM, AVI, OGG or MPEG-TS); choose another file.',
  );
}

function isBox(head: Buffer): boolean {
  const limit = FIRST_BOXES[head.toString('latin1', 4, 8)];
  if (limit === undefined) return false;
  const size = head.readUInt32BE(0);
  // 0: to the end of the file; 1: a 64-bit size follows.
  return size === 0 || size === 1 || (size >= 8 && size < limit);
}

/** Packets of 188 bytes, or of 192 with a timestamp before each (M2TS). */
function transportStream(head: Buffer): Verdict {
  const layouts = [
    { first: 0, packet: 188 },
    { first: 4, packet: 192 },
  ].filter(({ first }) => head[first] === SYNC);
  for (const { first, packet } of layouts) {
    if (head.length <= first + packet) return 'short';
    if (head[first + packet] === SYNC && (head[first + 2 * packet] ?? SYNC) === SYNC) return 'video';
  }
  return 'other';
}
