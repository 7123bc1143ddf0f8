import { type RenditionKind, type SegmentFormat, SluiceError } from '#contracts';

/** S0-05: type of the first box, at offset 4. */
const FIRST_BOXES = new Set(['ftyp', 'styp', 'moof']);
const BOX_HEADER = 8;
const TEXT_HEAD = 'WEBVTT\n';
/** S0-05, and the next transport packet. */
const [SYNC_BYTE, PACKET] = [0x47, 188];

/** Passes the bytes on once they begin as a segment of this kind may; else throws `segment_bad_magic`. */
export async function* withMagicChecked(
  body: AsyncIterable<Uint8Array>,
  kind: RenditionKind = 'video',
  format: SegmentFormat = 'cmaf',
): AsyncGenerator<Buffer> {
  let head: Buffer | null = Buffer.alloc(0);
  const needed = kind !== 'subtitles' && format === 'ts' ? PACKET + 1 : BOX_HEADER;
  for await (const part of body) {
    const bytes = Buffer.from(part.buffer, part.byteOffset, part.byteLength);
    if (head === null) {
      yield bytes;
      continue;
    }
    head = Buffer.concat([head, bytes]);
    if (head.length < needed) continue;
    if (!beginsAs(kind, format, head)) throw badMagic();
    yield head;
    head = null;
  }
  if (head !== null) throw badMagic();
}

const beginsAs = (kind: RenditionKind, format: SegmentFormat, head: Buffer) => {
  if (kind === 'subtitles') return head.toString('latin1').startsWith(TEXT_HEAD);
  return format === 'ts'
    ? head[0] === SYNC_BYTE && head[PACKET] === SYNC_BYTE
    : FIRST_BOXES.has(head.toString('latin1', 4, BOX_HEADER));
};

const badMagic = () =>
  new SluiceError(
    'segment_bad_magic',
    'This does not begin like a segment (ftyp, styp, moof, 0x47 for MPEG-TS, or WEBVTT for text); encode it again.',
  );
