import { PACKET_TIME, PCR_INTERVAL, pcrOf, writePcr, writeTimestamp } from './clock.js';
import { type AccessUnits, type ElementaryStream, ES_PID, PACKET } from './stream.js';

const ROOM = PACKET - 4;
const COUNTERS = 16;
/** Bytes of an adaptation field with a clock reference: length, flags, PCR. */
const WITH_PCR = 8;
/** Length and flags. */
const WITH_FLAGS = 2;
const [HAS_PCR, RANDOM_ACCESS] = [0x10, 0x40];

/** What a packet's adaptation field says before its stuffing. */
interface Field {
  pcr: number | null;
  random: boolean;
}

type Layout = { take: number; field: Field }[];

/**
 * PES packets → transport packets of one segment. Continuity counters begin at 0 in every segment, and the
 * last PES packet is spread over as many more packets as make their number a multiple of 16: so they go on
 * without a break at each border, although nobody knows how many packets another worker's segment has
 * (docs/adr/0012).
 */
export class Packetizer {
  private packets = 0;

  constructor(private readonly stream: ElementaryStream) {}

  /** `last`: of the segment. */
  packetize(units: AccessUnits, last: boolean): Buffer {
    const pes = pesPacket(this.stream.streamId, units);
    const natural = this.layOut(units, pes.length, null);
    const missing = (COUNTERS - ((this.packets + natural.length) % COUNTERS)) % COUNTERS;
    const layout = last && missing > 0 ? this.layOut(units, pes.length, natural.length + missing) : natural;
    const lone = loneReferences(units, layout);
    const out = Buffer.alloc((layout.length + lone.length) * PACKET, 0xff);
    let at = 0;
    let from = 0;
    for (const [i, { take, field }] of layout.entries()) {
      const space = ROOM - take;
      writeHeader(out, at, i === 0, space > 0 ? 0x30 : 0x10, this.packets++);
      if (space > 0) writeField(out, at + 4, space, field);
      pes.copy(out, at + PACKET - take, from, from + take);
      from += take;
      at += PACKET;
    }
    for (const pcr of lone) {
      writeHeader(out, at, false, 0x20, this.packets - 1);
      writeField(out, at + 4, ROOM, { pcr, random: false });
      at += PACKET;
    }
    return out;
  }

  /** How many bytes each packet takes: all that it can, but leaving one for each of those that `count` wants after it. */
  private layOut({ dts, duration, random }: AccessUnits, size: number, count: number | null): Layout {
    const layout: Layout = [];
    let lastPcr = Number.NEGATIVE_INFINITY;
    for (let left = size; left > 0; left -= layout.at(-1)?.take ?? 0) {
      const share = Math.round((duration * (size - left)) / size);
      const clock = pcrOf(dts) + Math.min(share, layout.length * PACKET_TIME);
      const pcr = clock - lastPcr >= PCR_INTERVAL ? clock : null;
      if (pcr !== null) lastPcr = pcr;
      const room = ROOM - (pcr === null ? 0 : WITH_PCR);
      const others = count === null ? 0 : count - layout.length - 1;
      layout.push({
        take: Math.min(room, left - others),
        field: { pcr, random: random && layout.length === 0 },
      });
    }
    return layout;
  }
}

/** Packets with nothing but a clock reference, which do not count (2.4.3.3): behind frames that last long. */
function loneReferences({ dts, duration }: AccessUnits, layout: Layout): number[] {
  const found: number[] = [];
  const last = layout.findLast(({ field }) => field.pcr !== null)?.field.pcr ?? pcrOf(dts);
  const end = pcrOf(dts) + duration - PCR_INTERVAL / 8;
  for (let next = last + PCR_INTERVAL; next < end; next += PCR_INTERVAL) found.push(next);
  return found;
}

/** 2.4.3.6; aligned, and of unbounded length where it is more than the field can say, as only pictures may be. */
function pesPacket(streamId: number, { pts, dts, payload }: AccessUnits): Buffer {
  const times = pts === dts ? 5 : 10;
  const head = Buffer.alloc(9 + times);
  const size = payload.reduce((sum, part) => sum + part.length, 3 + times);
  head.set([0, 0, 1, streamId]);
  head.writeUInt16BE(size > 0xffff ? 0 : size, 4);
  head.set([0x84, times === 5 ? 0x80 : 0xc0, times], 6);
  writeTimestamp(head, 9, times === 5 ? 2 : 3, pts);
  if (times === 10) writeTimestamp(head, 14, 1, dts);
  return Buffer.concat([head, ...payload]);
}

function writeHeader(out: Buffer, at: number, start: boolean, control: number, counter: number): void {
  out[at] = 0x47;
  out[at + 1] = (start ? 0x40 : 0) | (ES_PID >> 8);
  out[at + 2] = ES_PID & 0xff;
  out[at + 3] = control | (counter % COUNTERS);
}

/** An adaptation field of `size` bytes in all; what it does not say is stuffing, which is there already. */
function writeField(out: Buffer, at: number, size: number, { pcr, random }: Field): void {
  out[at] = size - 1;
  if (size < WITH_FLAGS) return;
  out[at + 1] = (pcr === null ? 0 : HAS_PCR) | (random ? RANDOM_ACCESS : 0);
  if (pcr !== null) writePcr(out, at + 2, pcr);
}
