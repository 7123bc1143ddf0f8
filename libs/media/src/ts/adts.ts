/** A frame has 13 bits for its length, header included. */
const LONGEST = 2 ** 13 - 1;
const HEADER = 7;

/** What an ADTS header repeats of the AudioSpecificConfig (ISO/IEC 14496-3 1.6.2.1). */
export interface AdtsConfig {
  profile: number;
  frequencyIndex: number;
  channels: number;
}

/** Throws for what a header has no bits for: other objects than the first four, rates and layouts beside the tables. */
export function readAdtsConfig(config: Buffer): AdtsConfig {
  const bits = config.readUInt16BE(0);
  const [object, frequencyIndex, channels] = [bits >> 11, (bits >> 7) & 15, (bits >> 3) & 15];
  if (object < 1 || object > 4 || frequencyIndex > 12 || channels < 1 || channels > 7)
    throw new Error('an AAC track that ADTS cannot describe');
  return { profile: object - 1, frequencyIndex, channels };
}

/** ISO/IEC 13818-7 6.2: MPEG-4, no CRC, one raw block. */
export function adtsHeader({ profile, frequencyIndex, channels }: AdtsConfig, frameSize: number): Buffer {
  const size = frameSize + HEADER;
  if (size > LONGEST) throw new Error('an AAC frame that is longer than ADTS can say');
  return Buffer.from([
    0xff,
    0xf1,
    (profile << 6) | (frequencyIndex << 2) | (channels >> 2),
    ((channels & 3) << 6) | (size >> 11),
    (size >> 3) & 0xff,
    ((size & 7) << 5) | 0x1f,
    0xfc,
  ]);
}
