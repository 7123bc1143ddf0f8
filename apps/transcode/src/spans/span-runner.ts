import type { Socket } from 'node:net';
import { Inject, Injectable } from '@nestjs/common';
import type { Environment } from '#config';
import type { RenditionName } from '#contracts';
import {
  assertAble,
  audioRun,
  audioStart,
  boundedMemory,
  CopyUnfit,
  copyRun,
  cutAudio,
  cutSubtitles,
  cutVideo,
  EndedEarly,
  encoderFingerprint,
  frameTime,
  runTool,
  type StallRule,
  subtitleRun,
  videoRun,
} from '#media';
import { observe, traced } from '#observability';
import type { DataSource } from '#persistence';
import { ServiceStopping } from '#queue';
import type { ObjectStore } from '#storage';
import type { Handover } from '../scratch/handover.js';
import type { Scratch } from '../scratch/scratch.js';
import { ScratchSink } from '../scratch/scratch-sink.js';
import { Streaming } from '../scratch/streaming.js';
import { ChunkedSource } from '../source/chunked-source.js';
import { type Published, SourceServer } from '../source/source-server.js';
import { DATA_SOURCE, ENVIRONMENT, SCRATCH, STORE } from '../tokens.js';
import { WorkerIdentity } from '../worker-identity.js';
import { Demand } from './demand.js';
import { EncoderSockets } from './encoder-sockets.js';
import { explainFailure } from './failures.js';
import { outputQuota } from './output-quota.js';
import { endOf, type MissingOutput, missingOutputs } from './outputs.js';
import { strategyOf } from './remux-ladder.js';
import type { ClaimedSpan } from './span.repository.js';

const AUDIO_FRAME_TICKS = 1024;
/** S4-03 */
const COPY_LIMIT_MS = 20 * 60_000;
const COPY_LIMIT_MS_PER_GB = 60_000;
const LONGEST_COPY_MS = 2 * 3600_000;
const ENCODE_LIMIT_FACTOR = 60;
/** So long a run that waits for bytes keeps its place though another one wants it. */
const PATIENCE_MS = 5_000;
/** An encoder on a busy machine takes longer than that until its first frame. */
const START_MS = 15_000;
/**
 * Encoders yield to the services that store what they make, and much more to what somebody waits for: the
 * start span and the followers get nine tenths of a busy processor, and need it for seconds only.
 */
const NICE = { first: 0, others: 10 };

/** Makes what a span lacks: one ffmpeg, one socket and one cutter for each output; ends when the store has it all. */
@Injectable()
export class SpanRunner {
  constructor(
    @Inject(ENVIRONMENT) private readonly environment: Environment,
    @Inject(DATA_SOURCE) private readonly dataSource: DataSource,
    @Inject(STORE) private readonly store: ObjectStore,
    @Inject(SCRATCH) private readonly scratch: Scratch,
    @Inject(SourceServer) private readonly sources: SourceServer,
    @Inject(WorkerIdentity) private readonly worker: WorkerIdentity,
    @Inject(Streaming) private readonly streaming: Streaming,
    @Inject(Demand) private readonly demand: Demand,
  ) {}

  async run(span: ClaimedSpan, signal: AbortSignal): Promise<void> {
    const outputs = missingOutputs(span);
    if (outputs.length === 0) return;
    assertAble(span.plan, this.worker.abilities);
    const whole = await ChunkedSource.open(this.dataSource, this.store, span.jobId);
    // AVI has its index at the end, and has been planned by it.
    const source = span.plan.isOpen && span.plan.container !== 'avi' ? await whole.beginning() : whole;
    // Sound begins again where it stopped, so that a slow upload need not keep a place between its chunks.
    const published = this.sources.publish(source, {
      milliseconds: PATIENCE_MS,
      of: span.kind === 'audio' ? 'the run' : 'one byte',
      ...(span.params.reads ? { enough: span.params.reads.at(-1) } : {}),
      startMs: START_MS,
      isWanted: () => this.demand.isForPlaceOf(span),
    });
    const ended = AbortSignal.any([signal, published.signal]);
    const handover = await this.scratch.open(span.id, span.lease, await this.streaming.isOn());
    const onAbort = () => {
      if (ended.reason instanceof ServiceStopping) handover.stop(ended.reason, this.handOverMs);
      else handover.fail(ended.reason instanceof Error ? ended.reason : new Error('aborted'));
    };
    ended.addEventListener('abort', onAbort, { once: true });
    if (ended.aborted) onAbort();
    try {
      const begun = performance.now();
      await this.encode(span, outputs, { published, bytes: source.size }, handover, ended);
      // Of a run that waits for its upload this would be the upload's speed.
      if (span.kind === 'video' && whole.arrivalSeconds === 0) observeSpeed(span, outputs, begun);
      await this.handOver(span, handover);
    } catch (error) {
      // Whole segments are worth a moment: who goes on need not make them again.
      if (ended.reason instanceof ServiceStopping) await this.handOver(span, handover).catch(() => undefined);
      throw ended.aborted ? error : (published.failure() ?? error);
    } finally {
      ended.removeEventListener('abort', onAbort);
      published.close();
      await this.scratch.close(handover);
    }
  }

  /** Resolves when the store has all that is finished. */
  private async handOver(span: ClaimedSpan, handover: Handover): Promise<void> {
    for (const payload of handover.letGo()) await this.scratch.announce(payload, span.priority);
    await handover.drained();
  }

  /** The lease is not extended any more then, and has at least two thirds of its time left. */
  private get handOverMs(): number {
    return (this.environment.LEASE_SECONDS * 1000) / 2;
  }

  private async encode(
    span: ClaimedSpan,
    outputs: MissingOutput[],
    source: { published: Published; bytes: number },
    handover: Handover,
    signal: AbortSignal,
  ): Promise<void> {
    const stop = new AbortController();
    const sockets = await EncoderSockets.create();
    try {
      const targets: string[] = [];
      const cutters: Promise<void>[] = [];
      for (const output of outputs) {
        const { target, done } = await sockets.listen((socket) => this.cut(span, output, handover, socket));
        targets.push(target);
        done.catch((error: unknown) => {
          if (!(error instanceof EndedEarly)) stop.abort(error);
        });
        cutters.push(done);
      }
      const args = commandFor(span, outputs, targets, source.published.url);
      const tool = traced('ffmpeg', ffmpegAttributes(span), () =>
        runTool(this.environment.FFMPEG_PATH, args, {
          signal: AbortSignal.any([signal, stop.signal]),
          limitMs: limitFor(span, source.bytes),
          ...(span.kind === 'subtitles' ? {} : { stall: this.stallRule(span) }),
          ...boundedMemory(
            span.kind === 'video' ? span.plan.encoder.name : 'libx264',
            this.environment.ENCODE_MEMORY_MB * 1024 ** 2,
          ),
          nice: makesPlayable(span) ? NICE.first : NICE.others,
          isHeld: () => handover.isHeld() || source.published.isWaiting(),
          onGrowth: () => source.published.renew(),
        }),
      );
      const [ran, cut] = await Promise.allSettled([tool, allUnless(tool, cutters)]);
      // A cutter's own error is the cause of ffmpeg's broken pipe; where the stream just ended, ffmpeg knows why.
      if (ran.status === 'rejected') throw explainFailure(ran.reason);
      if (cut.status === 'rejected') throw explainFailure(cut.reason);
    } finally {
      await sockets.close();
    }
  }

  /** Nobody may say anything for an hour, so a run that reads text is bounded by its time limit only. */
  private stallRule({ kind }: ClaimedSpan): StallRule {
    return {
      graceMs: this.environment.FFMPEG_STALL_GRACE_SECONDS * 1000,
      stallMs: this.environment.FFMPEG_STALL_SECONDS * 1000,
      measure: kind === 'copy' ? 'total_size' : 'out_time_us',
    };
  }

  private async cut(
    span: ClaimedSpan,
    output: MissingOutput,
    handover: Handover,
    socket: Socket,
  ): Promise<void> {
    const { plan } = span;
    const { rendition, firstSegment } = output;
    const sink = new ScratchSink({
      handover,
      jobId: span.jobId,
      workerId: this.worker.id,
      rendition: rendition.name,
      encoder: encoderFingerprint(this.worker.ffmpegVersion, plan, rendition),
      storedInit: span.inits.get(rendition.name) ?? null,
      maxBytes: outputQuota(span, rendition),
      ts: rendition.ts === true,
      announce: (payload) => this.scratch.announce(payload, span.priority),
    });
    const range = (borders: number[]) => borders.slice(firstSegment, endOf(span) + 1);
    try {
      if (rendition.kind === 'audio') {
        await cutAudio(
          socket,
          {
            firstSegment,
            borders: range(plan.audioBorders),
            frameTicks: AUDIO_FRAME_TICKS,
            dropFrames: audioStart(plan, firstSegment).dropFrames,
          },
          sink,
        );
      } else if (rendition.kind === 'subtitles') {
        const durationSeconds = frameTime(plan.grid, plan.borders.at(-1) as number);
        await cutSubtitles(socket, { zeroSeconds: plan.zeroSeconds, durationSeconds }, sink);
      } else {
        const fragments = rendition.mode === 'copy' ? 'many' : 'one';
        await cutVideo(
          socket,
          {
            firstSegment,
            borders: range(plan.borders),
            frameTicks: plan.grid.frameTicks,
            fragments,
            skipFrames: skippedFrames(span, output),
          },
          sink,
        );
      }
    } catch (error) {
      throw rendition.mode === 'copy' ? asUnfit(error) : error;
    } finally {
      await sink.close();
    }
  }
}

/** A cutter's own complaint of what the source's pictures are; all else is nothing to encode them for. */
const asUnfit = (error: unknown) =>
  error instanceof Error && error.name === 'Error' && !('code' in error)
    ? new CopyUnfit(error.message, { cause: error })
    : error;

/** A member of the start set at its beginning: the stream can be played when it is there. */
const makesPlayable = ({ kind, plan, firstSegment, segmentCount, renditions }: ClaimedSpan) =>
  (kind !== 'video' || (firstSegment === 0 && segmentCount === 1)) &&
  plan.renditions.some((r) => r.inStartSet && renditions.includes(r.name));

/** A copied rung runs from the source's start; frames of stored segments come by and are dropped. */
const skippedFrames = (span: ClaimedSpan, { rendition, firstSegment }: MissingOutput) =>
  rendition.mode === 'copy' ? (span.plan.borders[firstSegment] as number) : 0;

function commandFor(span: ClaimedSpan, outputs: MissingOutput[], targets: string[], url: string): string[] {
  const target = targets[0] as string;
  const name = span.renditions[0] as RenditionName;
  if (span.kind === 'audio')
    return audioRun(span.plan, url, target, endOf(span), outputs[0]?.firstSegment, name);
  if (span.kind === 'subtitles') return subtitleRun(span.plan, url, target, name);
  if (span.kind === 'copy') return copyRun(span.plan, url, target, strategyOf(span));
  return videoRun(span.plan, {
    source: url,
    seekSeconds: span.params.seekSeconds,
    endSegment: endOf(span),
    urgent: makesPlayable(span),
    outputs: outputs.map((output, i) => ({ ...output, target: targets[i] as string })),
  });
}

function limitFor(span: ClaimedSpan, sourceBytes: number): number {
  if (span.kind !== 'video')
    return Math.min(LONGEST_COPY_MS, COPY_LIMIT_MS + COPY_LIMIT_MS_PER_GB * (sourceBytes / 1e9));
  return 60_000 + ENCODE_LIMIT_FACTOR * secondsFrom(span, span.firstSegment) * 1000;
}

/** Seconds of video from a segment to the end of its span. */
function secondsFrom(span: ClaimedSpan, segment: number): number {
  const { borders, grid } = span.plan;
  const frames = (borders[endOf(span)] as number) - (borders[segment] as number);
  return (frames * grid.fps.den) / grid.fps.num;
}

const ffmpegAttributes = ({ kind, firstSegment, segmentCount, renditions }: ClaimedSpan) => ({
  'sluice.span.kind': kind,
  'sluice.span.first_segment': firstSegment,
  'sluice.span.segments': segmentCount,
  'sluice.span.renditions': renditions,
});

function observeSpeed(span: ClaimedSpan, outputs: MissingOutput[], begun: number): void {
  const first = Math.min(...outputs.map(({ firstSegment }) => firstSegment));
  observe('sluice_encode_speed', (secondsFrom(span, first) * 1000) / (performance.now() - begun));
}

/** All cutters, unless ffmpeg fails first: a socket that it never connected to would be waited for without end. */
function allUnless(tool: Promise<unknown>, cutters: Promise<void>[]): Promise<unknown> {
  const failed = new Promise<never>((_, reject) => {
    tool.catch(reject);
  });
  return Promise.race([Promise.all(cutters), failed]);
}
