import { type RenditionKind, SluiceError } from '#contracts';

/** S0-05: type of the first box, at offset 4. */
const FIRST_BOXES = new Set(['ftyp', 'styp', 'moof']);
const BOX_HEADER = 8;
const TEXT_HEAD = 'WEBVTT\n';

/** Passes the bytes on once the first box is one that a segment may begin with; else throws `segment_bad_magic`. */
export async function* withMagicChecked(
  body: AsyncIterable<Uint8Array>,
  kind: RenditionKind = 'video',
): AsyncGenerator<Buffer> {
  let head: Buffer | null = Buffer.alloc(0);
  for await (const part of body) {
    const bytes = Buffer.from(part.buffer, part.byteOffset, part.byteLength);
    if (head === null) {
      yield bytes;
      continue;
    }
    head = Buffer.concat([head, bytes]);
    if (head.length < BOX_HEADER) continue;
    if (!beginsAs(kind, head)) throw badMagic();
    yield head;
    head = null;
  }
  if (head !== null) throw badMagic();
}

const beginsAs = (kind: RenditionKind, head: Buffer) =>
  kind === 'subtitles'
    ? head.toString('latin1').startsWith(TEXT_HEAD)
    : FIRST_BOXES.has(head.toString('latin1', 4, BOX_HEADER));

const badMagic = () =>
  new SluiceError(
    'segment_bad_magic',
    'This does not begin like a segment (ftyp, styp, moof, or WEBVTT for text); encode it again.',
  );
