import { Inject, Injectable } from '@nestjs/common';
import type { ServiceContext } from '#http';
import { occupiedPlaces, type PaceSample, paceOf, startSeconds } from '#work';
import { SharedReads } from '../media/bounded-cache.js';
import type { Database } from '../resources.js';
import { CONTEXT, DATABASE } from '../tokens.js';

/** What is guessed from changes slowly, and a list asks for many. */
const READ_EVERY_MS = 2000;
/** Of the jobs that have ended last, so many say how long one takes. */
const ENDED = 20;

interface Running {
  pace: PaceSample[];
  complete: boolean;
  bytes_total: number | null;
  now: number;
}

/** When those that wait for a place may get one. */
@Injectable()
export class Starts {
  private readonly reads = new SharedReads<(place: number) => number | null>(1, READ_EVERY_MS);

  constructor(
    @Inject(DATABASE) private readonly database: Database,
    @Inject(CONTEXT) private readonly context: ServiceContext,
  ) {}

  /** Null: nobody can know. `place` is 1 for the job that is next. */
  async mayStartAt(place: number | null): Promise<string | null> {
    if (place === null) return null;
    const secondsUntil = await this.reads.read('places', () => this.look());
    const seconds = secondsUntil(place);
    return seconds === null ? null : new Date(Date.now() + seconds * 1000).toISOString();
  }

  private async look(): Promise<(place: number) => number | null> {
    const running = await this.database.query<Running[]>(
      `SELECT pace, source_complete AS complete,
         (SELECT file_size FROM upload_sessions WHERE job_id = jobs.id ORDER BY created_at LIMIT 1) AS bytes_total,
         extract(epoch FROM clock_timestamp())::double precision AS now
       FROM jobs WHERE ${occupiedPlaces}`,
    );
    const [usual] = await this.database.query<{ seconds: number | null }[]>(
      `SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM j.completed_at - e.created_at))::float8 AS seconds
       FROM (SELECT id, completed_at FROM jobs WHERE status = 'completed' AND waits_for IS NULL
         ORDER BY completed_at DESC LIMIT ${ENDED}) j
       JOIN LATERAL (SELECT created_at FROM progress_events WHERE job_id = j.id AND type = 'processing_initiated'
         ORDER BY seq DESC LIMIT 1) e ON true`,
    );
    const left = running.map(
      ({ pace, complete, bytes_total, now }) =>
        paceOf(pace, now, { complete, bytesTotal: bytes_total }).eta_seconds,
    );
    const places = this.context.environment.PROCESSING_MAX_CONCURRENT_JOBS;
    return (place) => startSeconds({ place, places, left, usual: usual?.seconds ?? null });
  }
}
