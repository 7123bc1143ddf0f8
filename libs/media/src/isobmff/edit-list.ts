import { requireBox } from './boxes.js';

/**
 * An init segment whose one track is presented from `mediaTime` ticks of its media on (an edit list of one
 * entry, ISO/IEC 14496-12 8.6.6). `mediaTime` 0 needs none.
 */
export function withEditList(init: Buffer, mediaTime: number): Buffer {
  if (mediaTime === 0) return init;
  const moov = requireBox(init, 'moov');
  const track = requireBox(init, 'trak', moov);
  const header = requireBox(init, 'tkhd', track);
  const edits = Buffer.alloc(36);
  edits.writeUInt32BE(36, 0);
  edits.write('edts', 4, 'latin1');
  edits.writeUInt32BE(28, 8);
  edits.write('elst', 12, 'latin1');
  edits.writeUInt32BE(1, 20);
  // Duration 0: the whole of a fragmented movie.
  edits.writeInt32BE(mediaTime, 28);
  edits.writeUInt32BE(0x10000, 32);
  const result = Buffer.concat([init.subarray(0, header.end), edits, init.subarray(header.end)]);
  for (const box of [moov, track]) {
    const size = box.start - 8;
    result.writeUInt32BE(result.readUInt32BE(size) + edits.length, size);
  }
  return result;
}
