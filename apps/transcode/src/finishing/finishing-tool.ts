import { Inject, Injectable } from '@nestjs/common';
import type { Environment } from '#config';
import { runTool, type StallRule } from '#media';
import { type ByteSource, type Published, SourceServer } from '../source/source-server.js';
import { EncoderSockets } from '../spans/encoder-sockets.js';
import { ENVIRONMENT } from '../tokens.js';

/** Like encoders: its own job has none any more, and where others' never rest it is to end all the same. */
const NICE = 10;
/** Each of these runs decodes at most some minutes of video. A picture comes at the end, and grows nothing before. */
const LIMIT_MS = 10 * 60_000;
const PICTURE_LIMIT_MS = 3 * 60_000;
const MIB = 1024 * 1024;
/** All that is read has arrived. */
const PATIENCE_MS = 30_000;
/** A sprite of 100 tiles has about 300 kB. */
const LARGEST_PICTURE = 16 * 1024 * 1024;

/** Runs ffmpeg for finishing tasks: what it reads is served for the run, pictures come back over a socket. */
@Injectable()
export class FinishingTool {
  constructor(
    @Inject(ENVIRONMENT) private readonly environment: Environment,
    @Inject(SourceServer) private readonly sources: SourceServer,
  ) {}

  /** Empty when the filters let no picture through. */
  async picture(
    file: ByteSource,
    argumentsOf: (source: string, target: string) => string[],
    signal: AbortSignal,
  ): Promise<Buffer> {
    const sockets = await EncoderSockets.create();
    try {
      const parts: Buffer[] = [];
      const { target, done } = await sockets.listen(async (socket) => {
        let size = 0;
        for await (const part of socket) {
          size += (part as Buffer).length;
          if (size > LARGEST_PICTURE) throw new Error('a picture larger than any should be');
          parts.push(part as Buffer);
        }
      });
      const tool = this.run([file], ([source]) => argumentsOf(source as string, target), signal, {
        limitMs: PICTURE_LIMIT_MS,
      });
      // ffmpeg's word first: where it fails before it connects, the socket would be waited for without end.
      done.catch(() => undefined);
      await tool;
      await done;
      return Buffer.concat(parts);
    } finally {
      await sockets.close();
    }
  }

  /** The end of what ffmpeg said. Throws what kept it from reading rather than what it made of that. */
  async run(
    files: readonly ByteSource[],
    argumentsOf: (addresses: string[]) => string[],
    signal: AbortSignal,
    rules: { limitMs: number; stall?: StallRule } = this.encoding(),
  ): Promise<string> {
    const published: Published[] = files.map((file) =>
      this.sources.publish(file, { milliseconds: PATIENCE_MS }),
    );
    try {
      const { stderr } = await runTool(
        this.environment.FFMPEG_PATH,
        argumentsOf(published.map(({ url }) => url)),
        {
          signal,
          ...rules,
          nice: NICE,
          memoryBytes: this.environment.ENCODE_MEMORY_MB * MIB,
        },
      );
      return stderr;
    } catch (error) {
      const unread = published.map((one) => one.failure()).find((failure) => failure !== null);
      throw signal.aborted ? error : (unread ?? error);
    } finally {
      for (const one of published) one.close();
    }
  }

  private encoding(): { limitMs: number; stall: StallRule } {
    const { FFMPEG_STALL_GRACE_SECONDS, FFMPEG_STALL_SECONDS } = this.environment;
    return {
      limitMs: LIMIT_MS,
      stall: {
        graceMs: FFMPEG_STALL_GRACE_SECONDS * 1000,
        stallMs: FFMPEG_STALL_SECONDS * 1000,
        measure: 'out_time_us',
      },
    };
  }
}
