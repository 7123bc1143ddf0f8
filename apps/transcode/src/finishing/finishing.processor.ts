import { Inject, Injectable } from '@nestjs/common';
import type { Environment } from '#config';
import {
  type ErrorCode,
  type FinishingKind,
  type FinishingPayload,
  SluiceError,
  UNCLEAN_DEATHS_AT_MOST,
} from '#contracts';
import type { FactPublisher } from '#events';
import type { Logger } from '#observability';
import type { Handled, Handler, QueueProducer } from '#queue';
import { Company, isLastChance } from '../company.js';
import { EndedJobs } from '../ended-jobs.js';
import { JobEnded, Lease } from '../spans/lease.js';
import { ENVIRONMENT, LOGGER, PRODUCER, PUBLISHER } from '../tokens.js';
import { WorkerIdentity } from '../worker-identity.js';
import { type ClaimedTask, type Ended, FinishingRepository } from './finishing.repository.js';
import { TaskRunner } from './task-runner.js';

const ATTEMPTS = 2;
const LOOK_AGAIN_MS = 1000;
/** A store that is away is no fault of the video. */
const COME_BACK_MS = 3000;

const FAILURES: Record<FinishingKind, { code: ErrorCode; message: string }> = {
  poster: { code: 'poster_failed', message: 'There is no poster: no picture of the video could be taken.' },
  storyboard: { code: 'storyboard_failed', message: 'There is no storyboard: it could not be made.' },
  quality: {
    code: 'quality_not_measured',
    message: 'A part of the video could not be compared with its source.',
  },
  download: {
    code: 'download_failed',
    message: 'A rendition cannot be downloaded: its file could not be made.',
  },
};

/** Consumer of `finishing`: claim, run under a lease, record; what fails becomes a warning. */
@Injectable()
export class FinishingProcessor {
  constructor(
    @Inject(ENVIRONMENT) private readonly environment: Environment,
    @Inject(LOGGER) private readonly logger: Logger,
    @Inject(FinishingRepository) private readonly tasks: FinishingRepository,
    @Inject(TaskRunner) private readonly runner: TaskRunner,
    @Inject(EndedJobs) private readonly ended: EndedJobs,
    @Inject(WorkerIdentity) private readonly worker: WorkerIdentity,
    @Inject(PRODUCER) private readonly producer: QueueProducer,
    @Inject(PUBLISHER) private readonly publisher: FactPublisher,
    @Inject(Company) private readonly company: Company,
  ) {}

  readonly handle: Handler<'finishing'> = ({ taskId }: FinishingPayload, { signal }) =>
    this.company.run((isAlone) => this.attempt(taskId, signal, isAlone), signal);

  private async attempt(taskId: string, signal: AbortSignal, isAlone: boolean): Promise<Handled | 'alone'> {
    const seconds = this.environment.LEASE_SECONDS;
    const task = await this.tasks.claim(taskId, this.worker.id, seconds);
    if (!task) return (await this.tasks.isOpen(taskId)) ? { retryInMs: LOOK_AGAIN_MS } : undefined;
    if (task.uncleanDeaths >= UNCLEAN_DEATHS_AT_MOST) {
      await this.goOn(task, await this.tasks.fail(task, FAILURES[task.kind]));
      return undefined;
    }
    if (isLastChance(task.uncleanDeaths) && !isAlone) {
      await this.tasks.release(task);
      return 'alone';
    }
    const lease = new Lease(seconds, () => this.tasks.extend(task, seconds), signal);
    return this.ended.during(task.jobId, lease, async () => {
      try {
        const outcome = await this.runner.run(task, lease.signal);
        await this.goOn(task, await this.tasks.finish(task, outcome));
        return undefined;
      } catch (error) {
        return this.giveUp(task, error, signal.aborted, lease.signal.aborted);
      }
    });
  }

  private async goOn(task: ClaimedTask, ended: Ended): Promise<void> {
    if (ended?.last) await this.producer.enqueue('package', { jobId: task.jobId });
    if (ended) await this.publisher.publish(ended.fact);
  }

  private async giveUp(task: ClaimedTask, error: unknown, stopping: boolean, lost: boolean) {
    const ids = { job_id: task.jobId, task_id: task.id, kind: task.kind };
    if (error instanceof JobEnded || (lost && !stopping)) return undefined;
    if (stopping) {
      await this.tasks.release(task);
      return { retryInMs: 0 };
    }
    this.logger.error({ ...ids, err: error }, 'a finishing task failed');
    if (error instanceof SluiceError && ['unavailable', 'storage_full'].includes(error.code)) {
      await this.tasks.release(task);
      return { retryInMs: COME_BACK_MS };
    }
    const failure = FAILURES[task.kind];
    if (task.attempts + 1 < ATTEMPTS) {
      await this.tasks.release(task, failure);
      return { retryInMs: LOOK_AGAIN_MS };
    }
    await this.goOn(task, await this.tasks.fail(task, failure));
    return undefined;
  }
}
