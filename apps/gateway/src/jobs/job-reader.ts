import { Inject, Injectable } from '@nestjs/common';
import { jobWithin, type PlaybackSigner, reachValues, sessionWithin } from '#access';
import { type JobListQuery, type JobPage, type JobView, type Reach, SluiceError } from '#contracts';
import type { ServiceContext } from '#http';
import type { Database } from '../resources.js';
import { CONTEXT, DATABASE, SIGNER } from '../tokens.js';
import { type Cursor, listQuery, writeCursor } from './job-list.js';
import { JOB_QUERY, placeQuery } from './job-query.js';
import { type Beside, type JobRow, toJobSummary, toJobView } from './job-view.js';
import { type Sight, sightValues } from './sight.js';
import { Starts } from './starts.js';

@Injectable()
export class JobReader {
  private readonly placeQuery: string;

  constructor(
    @Inject(DATABASE) private readonly database: Database,
    @Inject(CONTEXT) private readonly context: ServiceContext,
    @Inject(Starts) private readonly starts: Starts,
    @Inject(SIGNER) private readonly signer: PlaybackSigner,
  ) {
    this.placeQuery = placeQuery(context.environment);
  }

  /** `sessionId` says whose upload is shown when several sessions share the job; by default the first one that is seen. */
  async view(jobId: string, sessionId: string | null, sight: Sight): Promise<JobView> {
    const [row] = await this.rows([jobId], sight, sessionId);
    if (!row) throw jobNotFound();
    return this.signer.sign(toJobView(row, await this.beside(row, sight)));
  }

  /** The newest first. */
  async list(query: JobListQuery, sight: Sight): Promise<JobPage> {
    const { sql, values } = listQuery(query, sight);
    const found = await this.database.query<Cursor[]>(sql, values);
    const page = found.slice(0, query.limit);
    const rows = await this.rows(
      page.map(({ id }) => id),
      sight,
      query.session_id ?? null,
    );
    const last = found.length > page.length ? page.at(-1) : undefined;
    return {
      jobs: await Promise.all(
        rows.map(async (row) => this.signer.sign(toJobSummary(row, await this.beside(row, sight)))),
      ),
      next_cursor: last ? writeCursor(last) : null,
    };
  }

  /** Throws `job_not_found`. */
  async assertWithin(jobId: string, reach: Reach): Promise<void> {
    const rows = await this.database.query<unknown[]>(
      `SELECT 1 FROM jobs j WHERE j.id = $1 AND ${jobWithin('j', 2)}`,
      [jobId, ...reachValues(reach)],
    );
    if (rows.length === 0) throw jobNotFound();
  }

  async jobOfSession(sessionId: string, sight: Sight): Promise<string> {
    const [row] = await this.database.query<{ job_id: string | null }[]>(
      `SELECT job_id FROM upload_sessions s WHERE id = $1 AND ${sessionWithin('s', 2)}`,
      [sessionId, ...reachValues(sight)],
    );
    if (!row)
      throw new SluiceError(
        'session_not_found',
        'There is no upload session with this id; create one first.',
      );
    if (!row.job_id) throw new SluiceError('job_not_found', 'The job of this session has been removed.');
    return row.job_id;
  }

  private async rows(ids: string[], sight: Sight, sessionId: string | null): Promise<JobRow[]> {
    const scansFirst = this.context.environment.SCAN_MODE !== 'quarantine';
    const values = [ids, sessionId, scansFirst, ...sightValues(sight)];
    const rows = await this.database.query<Omit<JobRow, 'place_in_line'>[]>(JOB_QUERY, values);
    const places = await this.placesOf(rows.flatMap(({ in_line }) => in_line ?? []));
    return rows.map((row) => ({ ...row, place_in_line: places.get(row.in_line ?? '') ?? null }));
  }

  private async placesOf(ids: string[]): Promise<Map<string, number>> {
    if (ids.length === 0) return new Map();
    const rows = await this.database.query<{ id: string; place: number }[]>(this.placeQuery, [ids]);
    return new Map(rows.map(({ id, place }) => [id, place]));
  }

  private async beside(row: JobRow, { isOperator }: Sight): Promise<Beside> {
    return { isOperator, mayStartAt: await this.starts.mayStartAt(row.place_in_line) };
  }
}

export const jobNotFound = () =>
  new SluiceError('job_not_found', 'There is no job with this id; it may have been removed.');
