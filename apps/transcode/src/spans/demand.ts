import { Inject, Injectable } from '@nestjs/common';
import type { Environment } from '#config';
import type { PlannedSpan } from '#media';
import type { DataSource } from '#persistence';
import { IS_WAITING, jobsWithoutPlace, LONG_FOLLOWER_SEGMENTS } from '#work';
import { DATA_SOURCE, ENVIRONMENT } from '../tokens.js';
import type { ClaimedSpan } from './span.repository.js';

/** Kinds that share the places of a process; long followers have places of their own. */
const PLACES: PlannedSpan['kind'][][] = [['video'], ['copy', 'audio', 'subtitles'], ['index']];

/** Whether there is work that a run which only waits keeps from beginning. */
@Injectable()
export class Demand {
  constructor(
    @Inject(ENVIRONMENT) private readonly environment: Environment,
    @Inject(DATA_SOURCE) private readonly dataSource: DataSource,
  ) {}

  async isForPlaceOf({ kind, segmentCount }: ClaimedSpan): Promise<boolean> {
    const rows = (await this.dataSource.query(
      `SELECT EXISTS (SELECT 1 FROM spans JOIN jobs ON jobs.id = spans.job_id
           WHERE spans.status = 'pending' AND spans.released AND spans.kind = ANY ($1)
             AND (spans.kind IN ('video', 'index') OR (COALESCE(spans.segment_count, 0) > ${LONG_FOLLOWER_SEGMENTS}) = $2)
             AND jobs.status = 'processing' AND NOT ${IS_WAITING})
         OR EXISTS (${jobsWithoutPlace(this.environment)}) AS wanted`,
      [PLACES.find((kinds) => kinds.includes(kind)), segmentCount > LONG_FOLLOWER_SEGMENTS],
    )) as { wanted: boolean }[];
    return rows[0]?.wanted ?? false;
  }
}
