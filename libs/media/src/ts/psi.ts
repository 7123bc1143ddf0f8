import { type ElementaryStream, ES_PID, PACKET } from './stream.js';

const PMT_PID = 0x1000;
const PROGRAM = 1;

/**
 * PAT and PMT, one packet each, at the beginning of a segment (RFC 8216, 3.2). Their counters are the segment's
 * index: each segment has one of each, so they go on without a break whoever made the segments.
 */
export function programTables(stream: ElementaryStream, index: number): Buffer {
  const pat = Buffer.from([PROGRAM >> 8, PROGRAM & 0xff, 0xe0 | (PMT_PID >> 8), PMT_PID & 0xff]);
  const pid = [0xe0 | (ES_PID >> 8), ES_PID & 0xff];
  // The PCR's PID, no descriptors; then the one stream, without descriptors.
  const pmt = Buffer.from([...pid, 0xf0, 0, stream.streamType, ...pid, 0xf0, 0]);
  return Buffer.concat([
    tablePacket(0, section(0x00, 1, pat), index),
    tablePacket(PMT_PID, section(0x02, PROGRAM, pmt), index),
  ]);
}

/** 2.4.4.3 and 2.4.4.8: version 0, current, the only section of its table. */
function section(tableId: number, id: number, body: Buffer): Buffer {
  const bytes = Buffer.alloc(8 + body.length + 4);
  bytes[0] = tableId;
  bytes.writeUInt16BE(0xb000 | (bytes.length - 3), 1);
  bytes.writeUInt16BE(id, 3);
  bytes[5] = 0xc1;
  body.copy(bytes, 8);
  bytes.writeUInt32BE(crc32(bytes.subarray(0, -4)), bytes.length - 4);
  return bytes;
}

function tablePacket(pid: number, table: Buffer, counter: number): Buffer {
  const packet = Buffer.alloc(PACKET, 0xff);
  packet.set([0x47, 0x40 | (pid >> 8), pid & 0xff, 0x10 | (counter & 15), 0]);
  table.copy(packet, 5);
  return packet;
}

/** Annex A: polynomial 0x04C11DB7, from all ones, not reflected. */
function crc32(bytes: Buffer): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte << 24;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x80000000 ? (crc << 1) ^ 0x04c11db7 : crc << 1;
  }
  return crc >>> 0;
}
