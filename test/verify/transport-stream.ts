/** One PES packet as its header has it; times in ticks of 90 kHz. */
export interface Pes {
  pts: number;
  dts: number;
  /** Of its first transport packet: decoding can begin here. */
  random: boolean;
  data: Buffer;
}

export interface TransportStream {
  /** What is wrong, each a sentence that says where. */
  problems: string[];
  pes: Pes[];
  /** Clock references in ticks of 90 kHz. */
  references: number[];
  streamType: number | null;
}

const PACKET = 188;
const ES = 0x100;

/**
 * Reads segments that follow each other, packet by packet (ISO/IEC 13818-1 2.4.3): sync bytes, continuity
 * counters of every PID over all borders, references no further apart than 100 ms and none behind its frame.
 */
export function readTransportStream(segments: readonly Buffer[]): TransportStream {
  const found: TransportStream = { problems: [], pes: [], references: [], streamType: null };
  const counters = new Map<number, number>();
  for (const [s, bytes] of segments.entries()) {
    const say = (what: string) => found.problems.push(`segment ${s}: ${what}`);
    if (bytes.length % PACKET !== 0) say(`${bytes.length} bytes are no whole packets`);
    const pids: number[] = [];
    for (let at = 0; at + PACKET <= bytes.length; at += PACKET) {
      const packet = bytes.subarray(at, at + PACKET);
      if (packet[0] !== 0x47) say(`no 0x47 at ${at}`);
      const pid = packet.readUInt16BE(1) & 0x1fff;
      pids.push(pid);
      const [counter, control] = [(packet[3] as number) & 15, ((packet[3] as number) >> 4) & 3];
      const hasPayload = (control & 1) === 1;
      const before = counters.get(pid);
      if (before !== undefined && counter !== (before + (hasPayload ? 1 : 0)) % 16)
        say(`PID ${pid} counts ${counter} after ${before} at ${at}`);
      counters.set(pid, counter);
      const field = control & 2 ? (packet[4] as number) + 1 : 0;
      if (4 + field > PACKET || (hasPayload && 4 + field === PACKET)) say(`a bad adaptation field at ${at}`);
      const flags = field > 1 ? (packet[5] as number) : 0;
      if (flags & 0x10) found.references.push(packet.readUInt32BE(6) * 2 + ((packet[10] as number) >> 7));
      const payload = packet.subarray(4 + field);
      if (pid === 0x1000) found.streamType = payload[13] ?? null;
      if (pid !== ES || !hasPayload) continue;
      const last = found.pes.at(-1);
      if (packet[1] && packet[1] & 0x40) found.pes.push(readPes(payload, (flags & 0x40) !== 0));
      else if (last) last.data = Buffer.concat([last.data, payload]);
    }
    if (pids[0] !== 0 || pids[1] !== 0x1000) say('does not begin with PAT and PMT');
    if (found.pes[0] && !found.pes[0].random) say('does not begin where decoding can');
  }
  found.references.forEach((time, i) => {
    const gap = time - (found.references[i - 1] ?? time);
    if (gap < 0 || gap > 9000) found.problems.push(`reference ${i} comes ${gap} ticks after the one before`);
  });
  return found;
}

function readPes(bytes: Buffer, random: boolean): Pes {
  const times = (bytes[7] as number) >> 6;
  const pts = timestamp(bytes, 9);
  const dts = times === 3 ? timestamp(bytes, 14) : pts;
  return { pts, dts, random, data: bytes.subarray(9 + (bytes[8] as number)) };
}

const timestamp = (bytes: Buffer, at: number): number =>
  (((bytes[at] as number) >> 1) & 7) * 2 ** 30 +
  (bytes.readUInt16BE(at + 1) >> 1) * 2 ** 15 +
  (bytes.readUInt16BE(at + 3) >> 1);
