import { mkdir, readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type SegmentPayload, toQueuePriority } from '#contracts';
import type { Logger } from '#observability';
import type { QueueProducer } from '#queue';
import { Handover, type ScratchFile } from './handover.js';

/** A segment that nobody has fetched for this long is announced again: the queue may have lost it. */
const ANNOUNCE_AGAIN_MS = 5000;
/** How often that is looked for, and how soon after an outage of Redis what could not be announced is. */
const LOOK_MS = 500;

/**
 * The bounded place where finished segments wait for the store. Local to the process and worth nothing
 * after it: the next owner of a span makes again what has no row.
 */
export class Scratch {
  private readonly handovers = new Map<string, Handover>();
  private readonly timer: NodeJS.Timeout;

  constructor(
    private readonly root: string,
    private readonly window: number,
    private readonly producer: QueueProducer,
    private readonly logger: Logger,
  ) {
    this.timer = setInterval(() => this.announceOverdue(), LOOK_MS);
    this.timer.unref();
  }

  /** `streams`: segments leave one by one while the run goes on; otherwise when it lets go of all. */
  async open(spanId: string, lease: number, streams: boolean): Promise<Handover> {
    const dir = join(this.root, `${spanId}-${lease}`);
    await mkdir(dir, { recursive: true });
    const handover = new Handover(spanId, lease, dir, streams ? this.window : null);
    this.handovers.set(keyOf(spanId, lease), handover);
    return handover;
  }

  find(spanId: string, lease: number): Handover | undefined {
    return this.handovers.get(keyOf(spanId, lease));
  }

  /** Forgets a run and what it left. */
  async close(handover: Handover): Promise<void> {
    this.handovers.delete(keyOf(handover.spanId, handover.lease));
    await rm(handover.dir, { recursive: true, force: true });
  }

  /** The segment's first announcement; when Redis is away the timer makes up for it. */
  async announce(payload: SegmentPayload, priority: number): Promise<void> {
    try {
      await this.producer.enqueue('segment-upload', payload, { priority: toQueuePriority(priority) });
    } catch (error) {
      this.logger.warn(
        { err: error, span_id: payload.spanId },
        'a segment could not be announced; it will be again',
      );
      this.find(payload.spanId, payload.lease)?.announceSoon(payload.rendition, payload.index);
    }
  }

  /** Makes the place, and removes those of processes that have died here. Names begin with the process id. */
  async prepare(): Promise<void> {
    const parent = dirname(this.root);
    await mkdir(this.root, { recursive: true });
    for (const name of await readdir(parent)) {
      const pid = /^(\d+)-[0-9a-f-]{36}$/.exec(name)?.[1];
      if (pid && name !== basename(this.root) && !isOther(Number(pid))) {
        await rm(join(parent, name), { recursive: true, force: true });
      }
    }
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    await rm(this.root, { recursive: true, force: true });
  }

  private announceOverdue(): void {
    const overdue: ScratchFile[] = [...this.handovers.values()].flatMap((h) => h.overdue(ANNOUNCE_AGAIN_MS));
    for (const { payload } of overdue) {
      this.producer.revive('segment-upload', payload).catch((error: unknown) => {
        this.logger.warn({ err: error, span_id: payload.spanId }, 'a segment could not be announced again');
        this.find(payload.spanId, payload.lease)?.announceSoon(payload.rendition, payload.index);
      });
    }
  }
}

/** Whether another process with that id is alive. */
function isOther(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

const keyOf = (spanId: string, lease: number) => `${spanId}/${lease}`;
