import type { ToolError } from './supervised.js';

/**
 * Why a run ended badly, as far as its last words and its exit tell:
 * - `timestamps`: times that are missing, broken or do not grow; regenerated ones may do (S4-05)
 * - `memory`: it came to the end of what it was given
 * - `killed`: by somebody else; on Linux mostly the kernel, for want of memory
 * - `other`: all that another way to copy would not mend
 */
export type FailureClass = 'timestamps' | 'memory' | 'killed' | 'other';

/** The words of libavformat's muxers and of ffmpeg itself (mux.c, movenc.c, ffmpeg_mux.c), 4.4 to 7. */
const ABOUT_TIMESTAMPS = [
  /non monotonically increasing dts/i,
  /non-monotonic(ally increasing)? dts/i,
  /packet with unknown timestamp/i,
  /timestamps are unset in a packet/i,
  /first pts (and dts )?value must be set/i,
  /pts \(?\S+\)? < dts/i,
  /invalid (dts|pts|timestamp)/i,
  /(dts|pts) \S+ (is )?out of range/i,
  /timestamp discontinuity/i,
];
const ABOUT_MEMORY = [/cannot allocate memory/i, /malloc of size \d+ failed/i, /out of memory/i];
/** What a shell or a container makes of SIGKILL. */
const KILLED = 137;

export function classifyFailure({ exitCode, signalName, stderr }: ToolError): FailureClass {
  if (signalName === 'SIGKILL' || exitCode === KILLED) return 'killed';
  if (ABOUT_MEMORY.some((words) => words.test(stderr))) return 'memory';
  if (ABOUT_TIMESTAMPS.some((words) => words.test(stderr))) return 'timestamps';
  return 'other';
}
