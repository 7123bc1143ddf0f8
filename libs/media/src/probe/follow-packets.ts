import { setTimeout as sleep } from 'node:timers/promises';
import { type Container, type InputLimits, probeGuards } from '../ffmpeg/allow-lists.js';
import { PacketScan, type PacketTimeline, scanLimitMs } from './packet-scan.js';
import { type ProbeOptions, runProbe } from './run-probe.js';

/** The streams to follow; `ratePerTick`: frames per tick of the nominal rate. */
export interface FollowedStreams {
  video: { index: number; ratePerTick: number | null };
  audio: { index: number } | null;
}

/** What has been read so far; null: nothing of that stream. */
export interface Followed {
  video: PacketTimeline | null;
  audio: PacketTimeline | null;
}

const LOOK_EVERY_MS = 200;

/** A demuxer that can seek looks for an index at the end, which is not there yet; AVI cannot be read without its own. */
export const readingOn = (container: Container): string[] => (container === 'avi' ? [] : ['-seekable', '0']);

export function followArguments(url: string, container: Container, limits: InputLimits): string[] {
  return [
    ...['-v', 'error', '-hide_banner', ...probeGuards(container, limits)],
    ...readingOn(container),
    // ffprobe writes when it has 4 KiB: long lines come sooner.
    ...['-show_entries', 'packet=stream_index,pts,pts_time,dts,dts_time,duration,duration_time,flags'],
    ...['-of', 'compact=p=0:nk=0'],
    ...['-i', url],
  ];
}

/**
 * Reads the packet headers of a source that has no index from its start, as they arrive, and shows what
 * is known to `look` now and then, one call at a time; `true` is enough. Answers whether the source has
 * ended. What `look` throws ends the run.
 */
export async function followPackets(
  url: string,
  container: Container,
  { video, audio, bytes }: FollowedStreams & { bytes: number },
  options: ProbeOptions,
  look: (known: Followed) => Promise<boolean>,
): Promise<Followed & { ended: boolean }> {
  const scans = { video: new PacketScan(video.ratePerTick), audio: new PacketScan(null) };
  const known = (): Followed => ({
    video: scans.video.result(),
    audio: audio ? scans.audio.result() : null,
  });
  const stop = new AbortController();
  const { limits } = options;
  const signals = options.signal ? [options.signal, stop.signal] : [stop.signal];
  let running = true;
  const probe = runProbe(
    { ...options, signal: AbortSignal.any(signals) },
    followArguments(url, container, limits),
    {
      limitMs: scanLimitMs(limits.probeTimeoutSeconds, bytes),
      onLine: (line) => {
        const packet = new Map(line.split('|').map((field) => field.split('=', 2) as [string, string]));
        const stream = Number(packet.get('stream_index') ?? -1);
        const scan = stream === video.index ? scans.video : stream === audio?.index ? scans.audio : null;
        scan?.add(['pts', 'dts', 'duration', 'flags'].map((name) => packet.get(name) ?? '').join(','));
      },
    },
  ).finally(() => {
    running = false;
  });
  probe.catch(() => undefined);
  try {
    while (running) {
      await Promise.race([probe.catch(() => undefined), sleep(LOOK_EVERY_MS)]);
      if (running && (await look(known()))) {
        stop.abort(new Error('enough is known'));
        await probe.catch(() => undefined);
        return { ...known(), ended: false };
      }
    }
    await probe;
  } catch (error) {
    stop.abort(error);
    await probe.catch(() => undefined);
    throw error;
  }
  return { ...known(), ended: true };
}
