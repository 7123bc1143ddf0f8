import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SluiceClient } from '#client';
import { fileSource } from '#client/node';
import { forLog } from '#observability';
import { plainLine, renderBars } from './bars.js';
import { connectFacts, type FactsConnection, fetchView } from './facts.js';
import type { Screen } from './screen.js';
import { applyFact, applyView, type FileState, isDone, type Milestone, newFileState } from './state.js';
import { duration } from './text.js';

export interface FollowOptions {
  uploadUrl: string;
  gatewayUrl: string;
  /** As a person's browser sees the gateway. */
  publicUrl: string;
  screen: Screen;
  signal: AbortSignal;
}

const UPLOADS_AT_ONCE = 3;
const POLL_MS = 2000;
const LOOK_MS = 50;
const FRAME_MS = 100;
const PLAIN_LINE_MS = 1000;

/** Uploads the files, shows how far they are, and resolves when each is completed or failed: true when none failed. */
export async function followFiles(paths: string[], options: FollowOptions): Promise<boolean> {
  const files = await Promise.all(
    paths.map(async (path) => newFileState(path, forLog(basename(path)), (await stat(path)).size)),
  );
  const followers: Follower[] = [];
  const ofJob = (jobId: string) => followers.filter(({ file }) => file.jobId === jobId);
  const facts = connectFacts({
    gatewayUrl: options.gatewayUrl,
    onFact: (fact) => ofJob(fact?.job_id).forEach((follower) => void follower.onFact(fact)),
    onView: (view) => ofJob(view?.id).forEach((follower) => void follower.onView(view)),
  });
  followers.push(...files.map((file) => new Follower(file, facts, options)));
  const stopDrawing = startDrawing(files, options.screen);
  try {
    const waiting = [...followers];
    const lanes = Array.from({ length: UPLOADS_AT_ONCE }, async () => {
      for (let next = waiting.shift(); next && !options.signal.aborted; next = waiting.shift())
        await next.upload();
    });
    await Promise.all([...lanes, ...followers.map((follower) => follower.untilDone())]);
  } finally {
    stopDrawing();
    facts.close();
  }
  options.signal.throwIfAborted();
  return files.every((file) => file.failure === null);
}

/** One file from its first byte to its end. */
class Follower {
  private startedAt = Date.now();
  private askedAt = 0;

  constructor(
    readonly file: FileState,
    private readonly facts: FactsConnection,
    private readonly options: FollowOptions,
  ) {}

  onFact(fact: Parameters<typeof applyFact>[1]): void {
    this.tell(applyFact(this.file, fact, this.elapsed()));
  }

  onView(view: Parameters<typeof applyView>[1]): void {
    this.tell(applyView(this.file, view, this.elapsed()));
  }

  async upload(): Promise<void> {
    this.startedAt = Date.now();
    const { file, options } = this;
    try {
      const client = new SluiceClient({ uploadUrl: options.uploadUrl });
      await client.upload(await fileSource(file.path), {
        signal: options.signal,
        onSession: (session) => {
          if (session.job_id === null) return;
          file.jobId = session.job_id;
          this.facts.subscribe(session.job_id);
        },
        onProgress: (progress) => {
          file.bytesSent = progress.sent;
        },
      });
    } catch (error) {
      if (options.signal.aborted || isDone(file)) return;
      const { code, message } = error as Error & { code?: string };
      file.failure = { code: code ?? 'internal', message };
      this.tell(['failed']);
    }
  }

  /** Asks now and then, too: a fact may have been missed. Resolves at the end, or when we are stopped. */
  async untilDone(): Promise<void> {
    const { file, options } = this;
    while (!isDone(file) && !options.signal.aborted) {
      await sleep(LOOK_MS, undefined, { signal: options.signal }).catch(() => undefined);
      if (file.jobId === null || Date.now() - this.askedAt < POLL_MS) continue;
      this.askedAt = Date.now();
      const view = await fetchView(options.gatewayUrl, file.jobId);
      if (view) this.onView(view);
    }
    if (file.jobId !== null) this.facts.unsubscribe(file.jobId);
  }

  private elapsed(): number {
    return Date.now() - this.startedAt;
  }

  private tell(reached: Milestone[]): void {
    const { file } = this;
    const link = `${this.options.publicUrl}/watch/${file.jobId}`;
    for (const milestone of reached) {
      const text = {
        playable: `playable after ${duration(file.playableMs ?? 0)}  ${link}`,
        completed: `complete after ${duration(file.completedMs ?? 0)}  ${link}`,
        failed: `failed: ${file.failure?.message} (${file.failure?.code})`,
      }[milestone];
      this.options.screen.print(`${file.name}: ${text}`);
    }
  }
}

/** Bars on a terminal; elsewhere a line per file and second, when something has changed. */
function startDrawing(files: FileState[], screen: Screen): () => void {
  const last = new Map<FileState, string>();
  const draw = () => {
    if (screen.live) {
      screen.draw(renderBars(files, screen.size));
      return;
    }
    for (const file of files) {
      const line = plainLine(file);
      if (isDone(file) || file.jobId === null || last.get(file) === line) continue;
      last.set(file, line);
      screen.print(line);
    }
  };
  draw();
  const timer = setInterval(draw, screen.live ? FRAME_MS : PLAIN_LINE_MS);
  return () => {
    clearInterval(timer);
    screen.draw([]);
  };
}
