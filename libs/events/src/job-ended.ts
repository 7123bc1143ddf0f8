import type { EntityManager } from '#persistence';

/** Who works for a job hears here that it has ended, and who plans, that there may be a place: best effort, rows decide. */
export const JOB_ENDED_CHANNEL = 'sluice_job_ended';

/** In the transaction that ends the job; listeners hear of it when that has committed. */
export async function tellJobEnded(manager: EntityManager, jobId: string): Promise<void> {
  await manager.query('SELECT pg_notify($1, $2)', [JOB_ENDED_CHANNEL, jobId]);
}
