import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Stack, startStack, waitFor } from '#testing';
import { isLongRun } from '../long-run.js';
import { jobOf, MANY_SPANS, mustComplete, waitUntilClean } from '../pipeline/harness.js';
import { cancel, codeOf, look, sha256 } from '../upload/support.js';
import { film, withFree, withoutLastIdr } from './films.js';
import { HeldUpload } from './held-upload.js';
import { rowOf, untilPlanned, untilRunning, untilStored } from './scene.js';
import { verifiedFilm } from './verified-film.js';

/** Others may use the machine. */
const PATIENCE = 120_000;
let stack: Stack;
beforeAll(async () => {
  // A span has more that can be decoded than what cannot.
  stack = await startStack({ env: { ...MANY_SPANS, SPAN_SECONDS: '4', SWEEP_INTERVAL_SECONDS: '1' } });
});
afterAll(() => stack?.stop());

const verified = (job: string, name: string) => verifiedFilm(stack, job, name);

describe('an upload whose file is being encoded', { timeout: PATIENCE }, () => {
  const ends: [string, string, (session: string) => Promise<unknown>][] = [
    ['cancelled', 'cancelled', (session) => cancel(stack.urls.upload, session)],
    [
      'given up by its client',
      'session_expired',
      (session) => stack.query(`UPDATE upload_sessions SET expires_at = now() WHERE id = $1`, [session]),
    ],
  ];
  it.each(ends.filter(([end]) => isLongRun || end === 'cancelled'))(
    'S3-03 leaves nothing when it is %s',
    async (_, code, end) => {
      const upload = await HeldUpload.open(stack, (await film('longer')).file, { order: 'in-order' });
      await upload.sendTo(0.75);
      await untilStored(stack, upload.job);
      await untilRunning(stack, upload.job);
      await end(upload.session);
      await waitFor(async () => (await jobOf(stack, upload.job)).error_code === code, { what: 'the end' });
      await waitUntilClean(stack, upload);
      const open = await stack.query(
        `SELECT 1 FROM spans WHERE job_id = $1 AND status IN ('pending', 'running')`,
        [upload.job],
      );
      expect(open).toEqual([]);
    },
  );

  it('S3-07 begins anew when it was not the promised file, and has the right frames then', async () => {
    // The wrong one would be copied, the promised one cannot be.
    const promised = await film('longer');
    const { bytes: other } = await film('longer-fit');
    const size = Math.max(promised.bytes.length, other.length) + 64;
    const right = withFree(promised.bytes, size);
    const upload = await HeldUpload.open(stack, withFree(other, size), {
      order: 'in-order',
      asked: { file_hash: sha256(right) },
    });
    await upload.sendTo(23 / 24);
    await untilStored(stack, upload.job);
    expect(codeOf(await upload.sendNext())).toEqual([422, 'file_hash_mismatch']);
    expect(await rowOf(stack, upload.job)).toMatchObject({
      ...{ status: 'pending', plan: null, playable_at: null, source_complete: false },
    });
    for (const table of ['spans', 'renditions', 'segments', 'finishing_tasks'])
      expect(await stack.query(`SELECT 1 FROM ${table} WHERE job_id = $1`, [upload.job])).toEqual([]);
    const { body } = await look(stack.urls.upload, upload.session);
    expect(body.data).toMatchObject({ status: 'active', bytes_received: 0 });
    upload.startOver(right);
    await upload.finish();
    await verified(upload.job, 'longer');
  });

  it('is encoded after all when a picture that it wanted to copy turns out not to be fit', async () => {
    const { bytes } = await film('longer-fit');
    const upload = await HeldUpload.open(stack, withoutLastIdr(bytes), { order: 'in-order' });
    await upload.sendTo(0.5);
    await untilPlanned(stack, upload.job);
    const modes = async () =>
      (await stack.query('SELECT mode FROM renditions WHERE job_id = $1', [upload.job])).map(
        ({ mode }) => mode,
      );
    expect(await modes()).toContain('copy');
    await upload.finish();
    const done = await mustComplete(stack, upload.job);
    expect(await modes()).not.toContain('copy');
    expect((await rowOf(stack, upload.job)).copy_denied).toEqual(expect.any(String));
    expect(done.renditions.every((r) => r.segments_completed === r.segments_total)).toBe(true);
  });
});
