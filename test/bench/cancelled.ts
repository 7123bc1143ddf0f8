import { SluiceClient } from '#client';
import { type Stack, waitFor } from '#testing';

/** Ends a job that was measured; resolves when nothing of it runs any more. */
export async function cancelled(stack: Stack, session: string, job: string): Promise<void> {
  await new SluiceClient({ uploadUrl: stack.urls.upload }).cancel(session);
  await waitFor(
    async () =>
      (
        await stack.query(
          `SELECT 1 FROM jobs j JOIN assets a ON a.id = j.asset_id WHERE j.id = $1 AND a.status IN ('provisional', 'deleting')`,
          [job],
        )
      ).length === 0,
    { what: 'a cancelled job to be cleaned up', timeoutMs: 60_000 },
  );
}
