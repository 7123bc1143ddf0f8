import { type Box, boxesIn, findBox, requireBox } from './boxes.js';

/** Bytes of a sample entry before the boxes in it (ISO/IEC 14496-12, 12.1.3 and 12.2.3). */
const [VISUAL, AUDIO] = [78, 28];

/** RFC 6381 codecs string of an init segment's first track. */
export function codecsOf(init: Buffer): string {
  const stsd = requireBox(init, 'moov/trak/mdia/minf/stbl/stsd');
  for (const entry of boxesIn(init, stsd.start + 8, stsd.end)) {
    const inside = (type: string, fixed: number): Buffer | null => {
      const box: Box | null = findBox(init, type, { ...entry, start: entry.start + fixed });
      return box && init.subarray(box.start, box.end);
    };
    const said =
      entry.type === 'avc1'
        ? avc(inside('avcC', VISUAL))
        : entry.type === 'hvc1'
          ? hevc(inside('hvcC', VISUAL))
          : entry.type === 'av01'
            ? av1(inside('av1C', VISUAL))
            : entry.type === 'mp4a'
              ? aac(inside('esds', AUDIO))
              : null;
    if (said) return said;
  }
  throw new Error('an init segment without a codec that we know');
}

const avc = (avcC: Buffer | null) => avcC && `avc1.${avcC.toString('hex', 1, 4)}`;
const aac = (esds: Buffer | null) => esds && `mp4a.40.${audioObjectType(esds.subarray(4))}`;

/**
 * ISO/IEC 14496-15, E.3: profile space and profile, compatibility flags with their bits turned round,
 * tier and level, constraint flags without the zero bytes at their end; all but the level in hex.
 */
function hevc(hvcC: Buffer | null): string | null {
  if (!hvcC || hvcC.length < 13) return null;
  const general = hvcC.readUInt8(1);
  const space = ['', 'A', 'B', 'C'][general >> 6];
  let compatibility = 0;
  for (let bit = 0; bit < 32; bit++) compatibility = compatibility * 2 + ((hvcC.readUInt32BE(2) >>> bit) & 1);
  const constraints = [...hvcC.subarray(6, 12)];
  while (constraints.at(-1) === 0) constraints.pop();
  return [
    `hvc1.${space}${general & 0x1f}`,
    compatibility.toString(16).toUpperCase(),
    `${general & 0x20 ? 'H' : 'L'}${hvcC.readUInt8(12)}`,
    ...constraints.map((byte) => byte.toString(16).toUpperCase()),
  ].join('.');
}

/** AV1 in ISO-BMFF, 5: profile, level and tier, depth; what follows is left out where it is the usual. */
function av1(av1C: Buffer | null): string | null {
  if (!av1C || av1C.length < 4) return null;
  const [profileAndLevel, flags] = [av1C.readUInt8(1), av1C.readUInt8(2)];
  const level = String(profileAndLevel & 0x1f).padStart(2, '0');
  const depth = flags & 0x40 ? (flags & 0x20 ? '12' : '10') : '08';
  return `av01.${profileAndLevel >> 5}.${level}${flags & 0x80 ? 'H' : 'M'}.${depth}`;
}

/** The first five bits of the AudioSpecificConfig. */
const audioObjectType = (descriptors: Buffer): number => (specificConfig(descriptors)[0] as number) >> 3;

/** The AudioSpecificConfig in the body of `esds`: descriptors 3 → 4 → 5 (ISO/IEC 14496-1 7.2.6). */
export function specificConfig(descriptors: Buffer): Buffer {
  let at = 0;
  const header = (tag: number) => {
    if (descriptors[at++] !== tag) throw new Error('bad esds');
    while ((descriptors[at++] as number) & 0x80);
  };
  header(3);
  at += 3;
  header(4);
  at += 13;
  header(5);
  return descriptors.subarray(at);
}
