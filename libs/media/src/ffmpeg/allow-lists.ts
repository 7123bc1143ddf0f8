/**
 * ffmpeg sees only what we have recognised by its first bytes, through one demuxer and known
 * decoders. A playlist named `.mp4` reads other people's files even with a protocol list alone, so
 * the demuxer is always explicit (measured on ffmpeg 5.1, docs/adr/0004).
 */
export const CONTAINERS = ['mov', 'matroska', 'mpegts', 'avi', 'ogg'] as const;
export type Container = (typeof CONTAINERS)[number];

/** Decoder names, not codec names: the option does not glob and `av1`, `mp3` would refuse good files. */
const DECODERS = [
  ...[
    'h264',
    'hevc',
    'vp8',
    'vp9',
    'libdav1d',
    'mpeg4',
    'h263',
    'mpeg1video',
    'mpeg2video',
    'theora',
    'prores',
    'mjpeg',
  ],
  ...['msmpeg4', 'msmpeg4v2', 'flv', 'wmv1', 'wmv2', 'wmv3', 'vc1', 'dvvideo', 'rawvideo', 'ffv1'],
  // Of editing programs and cameras.
  ...['dnxhd', 'cfhd', 'qtrle'],
  ...[
    'aac',
    'aac_latm',
    'mp3float',
    'mp2float',
    'opus',
    'vorbis',
    'ac3',
    'eac3',
    'dca',
    'truehd',
    'mlp',
    'flac',
    'alac',
    'amrnb',
    'amrwb',
    'libopencore_amrnb',
  ],
  ...[
    'pcm_s8',
    'pcm_u8',
    'pcm_s16le',
    'pcm_s16be',
    'pcm_s24le',
    'pcm_s24be',
    'pcm_s32le',
    'pcm_f32le',
    'pcm_f32be',
    'pcm_f64le',
    'pcm_bluray',
    'pcm_dvd',
    'pcm_alaw',
    'pcm_mulaw',
  ],
  ...['adpcm_ms', 'adpcm_ima_wav', 'adpcm_ima_qt', 'wmav1', 'wmav2', 'wmapro'],
];

/** ffprobe opens a decoder for every track and refuses the whole file for one that it may not open: these are only looked at. */
const PICTURED_TEXT = ['pgssub', 'dvdsub', 'dvbsub', 'xsub', 'cc_dec'];

/** For a run that reads nothing but a track of text. */
export const TEXT_DECODERS = ['mov_text', 'subrip', 'srt', 'ass', 'ssa', 'webvtt', 'text'];

/** How much ffmpeg may find in a source before it gives up by itself. */
export interface InputLimits {
  /** Pixels of one frame. */
  maxPixels: number;
  maxStreams: number;
}

/** For plans that were stored before they carried their own: a little over 8K × 4K. */
export const DEFAULT_INPUT_LIMITS: InputLimits = { maxPixels: 35_000_000, maxStreams: 64 };

const PROBE_BYTES = 5_000_000;
const ANALYZE_MICROSECONDS = 5_000_000;
const MAX_PROBE_PACKETS = 2_500;

/** A movie may name other files as the place of its samples; these are ffmpeg's defaults, said aloud. */
const NO_REFERENCES = ['-enable_drefs', '0', '-use_absolute_path', '0'];

/** Options that stand before every `-i` of a stranger's bytes. */
export function inputGuards(
  container: Container,
  limits: InputLimits,
  decoders: string[] = DECODERS,
): string[] {
  return [
    ...['-protocol_whitelist', 'http,tcp'],
    ...['-format_whitelist', container],
    ...['-codec_whitelist', decoders.join(',')],
    ...['-max_pixels', String(limits.maxPixels)],
    ...['-max_streams', String(limits.maxStreams)],
    ...['-probesize', String(PROBE_BYTES)],
    ...['-analyzeduration', String(ANALYZE_MICROSECONDS)],
    ...['-max_probe_packets', String(MAX_PROBE_PACKETS)],
    ...(container === 'mov' ? NO_REFERENCES : []),
    // We count packets; the end of a source that is still arriving would be waited for.
    ...(container === 'mpegts' ? ['-skip_estimate_duration_from_pts', '1'] : []),
    ...['-f', container],
  ];
}

/** The same for ffprobe. */
export const probeGuards = (container: Container, limits: InputLimits): string[] =>
  inputGuards(container, limits, [...DECODERS, ...TEXT_DECODERS, ...PICTURED_TEXT]);

/** Which demuxer the first bytes call for; null when they are none of ours. 400 bytes are enough. */
export function sniffContainer(head: Buffer): Container | null {
  if (head.length < 12) return null;
  const box = head.toString('latin1', 4, 8);
  if (['ftyp', 'moov', 'mdat', 'wide', 'free', 'skip', 'pnot'].includes(box)) return 'mov';
  if (head.readUInt32BE(0) === 0x1a45dfa3) return 'matroska';
  if (head.toString('latin1', 0, 4) === 'RIFF' && head.toString('latin1', 8, 11) === 'AVI') return 'avi';
  if (head.toString('latin1', 0, 4) === 'OggS') return 'ogg';
  // 188-byte packets, and 192-byte ones with a time code in front (m2ts).
  for (const [size, start] of [
    [188, 0],
    [192, 4],
  ] as const) {
    if (head.length > start + size && head[start] === 0x47 && head[start + size] === 0x47) return 'mpegts';
  }
  return null;
}
