import type { Environment } from '#config';
import type { SourceLimits } from '#media';

const MIB = 1024 * 1024;

/** What the environment says about sources. */
export const sourceLimits = (environment: Environment): SourceLimits => ({
  maxDurationSeconds: environment.SOURCE_MAX_DURATION_SECONDS,
  maxPixels: environment.SOURCE_MAX_PIXELS,
  maxStreams: environment.SOURCE_MAX_STREAMS,
  maxBitRate: environment.SOURCE_MAX_BIT_RATE,
  minBitRate: environment.SOURCE_MIN_BIT_RATE,
  maxFrameRate: environment.SOURCE_MAX_FRAME_RATE,
  probeTimeoutSeconds: environment.PROBE_TIMEOUT_SECONDS,
  probeMemoryBytes: environment.PROBE_MEMORY_MB * MIB,
});
