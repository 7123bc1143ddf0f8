import { type Profile, SluiceError } from '#contracts';
import { runTool, ToolError } from '../ffmpeg/supervised.js';
import { type SourceLimits, tooLarge, tooManyStreams } from './limits.js';

export interface ProbeOptions {
  ffprobePath: string;
  limits: SourceLimits;
  signal?: AbortSignal;
  /** Whether the source's bytes are all here, will be in a moment, or are on their way for longer. */
  arrival?: 'here' | 'soon' | 'later';
  /** Of a source without an index that is on its way: so much of it is read before it is planned. */
  openingSeconds?: number;
  /** What the source may be copied into. */
  profile?: Profile;
  /** True while we ourselves withhold the source's bytes. */
  isHeld?: () => boolean;
}

/** ffprobe's own words (libavformat/options, libavutil/imgutils); the error it ends with is the same for all. */
const TOO_MANY_STREAMS = 'exceeds max_streams parameter';
const TOO_MANY_PIXELS = 'exceeds specified max pixel count';
const OUT_OF_MEMORY = 'Cannot allocate memory';

/** One ffprobe on a stranger's bytes, in its bounds of time and memory. Throws what a person is told; answers with stderr. */
export async function runProbe(
  options: ProbeOptions,
  args: string[],
  run: { limitMs: number; onLine: (line: string) => void },
): Promise<string> {
  const { limits } = options;
  try {
    const { stderr } = await runTool(options.ffprobePath, args, {
      ...run,
      memoryBytes: limits.probeMemoryBytes,
      ...(options.signal ? { signal: options.signal } : {}),
      ...(options.isHeld ? { isHeld: options.isHeld } : {}),
    });
    return stderr;
  } catch (error) {
    if (error instanceof SluiceError && error.code === 'encode_timeout') throw timedOut(run.limitMs);
    if (!(error instanceof ToolError)) throw error;
    const { stderr } = error;
    if (stderr.includes(TOO_MANY_STREAMS)) throw tooManyStreams(limits.maxStreams);
    if (stderr.includes(TOO_MANY_PIXELS)) throw tooLarge(limits.maxPixels);
    if (stderr.includes(OUT_OF_MEMORY)) throw outOfMemory(error);
    throw unreadable(error);
  }
}

export const namesTooManyPixels = (stderr: string) => stderr.includes(TOO_MANY_PIXELS);

export const unreadable = (cause: unknown) =>
  new SluiceError(
    'source_unreadable',
    'The file cannot be read as a video; it may be damaged or incomplete. Try to play it, export it again and upload that.',
    { cause },
  );

const outOfMemory = (cause: unknown) =>
  new SluiceError(
    'probe_out_of_memory',
    'Reading the file took more memory than a video may need; export it again and upload that.',
    { cause },
  );

const timedOut = (limitMs: number) =>
  new SluiceError(
    'probe_timeout',
    `The file could not be read within ${Math.round(limitMs / 1000)} s; export it again and upload that.`,
  );
