import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { waitFor } from '#testing';
import { type GatewayAlone, startGatewayAlone } from './rows.js';
import { Watcher } from './watcher.js';

let gateway: GatewayAlone;
const watchers: Watcher[] = [];

beforeAll(async () => {
  gateway = await startGatewayAlone({ WEBSOCKET_HEARTBEAT_INTERVAL: '1' });
});
afterEach(() => {
  for (const watcher of watchers.splice(0)) watcher.close();
});
afterAll(() => gateway?.stop());

const watch = async () => {
  const watcher = await Watcher.connect(gateway.url);
  watchers.push(watcher);
  return watcher;
};

const milestone = (jobId: string, message: string) =>
  gateway.record(jobId, { type: 'processing_progress', durable: true, message });

const tell = async (jobId: string, message: string) => gateway.publish(await milestone(jobId, message));

const upTo = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + 1 + i);

describe('live facts', () => {
  it('S3-11 clients that join at any moment get a snapshot, then each later fact once and in order', async () => {
    const upload = await gateway.insertUpload();
    const joining: Promise<Watcher>[] = [];
    const total = 120;
    for (let count = 0; count < total; count += 1) {
      if (count % 12 === 0) {
        const request = count % 24 === 0 ? { job_id: upload.jobId } : { session_id: upload.sessionId };
        joining.push(
          watch().then(async (watcher) => {
            expect(await watcher.subscribe(request)).toMatchObject({
              ok: true,
              snapshot: { id: upload.jobId },
            });
            return watcher;
          }),
        );
      }
      await tell(upload.jobId, `fact ${count}`);
      if (count === total / 2) await joining[0];
    }
    const joined = await Promise.all(joining);
    await tell(upload.jobId, 'the last');
    for (const watcher of joined) {
      await watcher.hears(total + 1);
      expect(watcher.order[0]).toBe(`snapshot ${watcher.snapshots[0]?.seq}`);
      expect(watcher.numbers()).toEqual(upTo(watcher.snapshots[0]?.seq ?? 0, total + 1));
    }
    expect(new Set(joined.map((watcher) => watcher.snapshots[0]?.seq)).size).toBeGreaterThan(1);
  });

  it('a fact that is published after a snapshot that contains it is not told again', async () => {
    const upload = await gateway.insertUpload();
    const watcher = await watch();
    const late = await milestone(upload.jobId, 'committed, not yet published');
    await watcher.subscribe({ job_id: upload.jobId });
    await gateway.publish(late);
    await tell(upload.jobId, 'the next');
    await watcher.hears(2);
    expect(watcher.order).toEqual(['snapshot 1', 'processing_progress 2']);
  });

  it('facts that come in quick succession go out in order, also where some are in rows only, and to who joins between', async () => {
    const upload = await gateway.insertUpload();
    const first = await watch();
    await first.subscribe({ job_id: upload.jobId });
    const late = await watch();
    const total = 60;
    let joined: Promise<unknown> | undefined;
    for (let count = 1; count <= total; count += 1) {
      const fact = await milestone(upload.jobId, `fact ${count}`);
      // Every seventh was lost on its way: the next one, which names it, leads to the rows.
      if (count % 7 > 0) await gateway.publish(fact);
      if (count === 25) joined = late.subscribe({ job_id: upload.jobId });
    }
    await joined;
    await first.hears(total);
    await late.hears(total);
    expect(first.numbers()).toEqual(upTo(0, total));
    expect(late.numbers()).toEqual(upTo(late.snapshots[0]?.seq ?? 0, total));
  });

  it('a client that asks for a session and for its job hears each fact once', async () => {
    const upload = await gateway.insertUpload();
    const watcher = await watch();
    await Promise.all([
      watcher.subscribe({ job_id: upload.jobId }),
      watcher.subscribe({ session_id: upload.sessionId }),
      watcher.subscribe({ session_id: upload.sessionId }),
    ]);
    await tell(upload.jobId, 'one');
    await tell(upload.jobId, 'two');
    await watcher.hears(2);
    expect(watcher.numbers()).toEqual([1, 2]);
    expect(watcher.snapshots).toHaveLength(3);
  });

  it('jobs do not hear each other, and every session of a job does', async () => {
    const one = await gateway.insertUpload();
    const same = await gateway.insertUpload(one);
    const other = await gateway.insertUpload();
    const [first, second, stranger] = [await watch(), await watch(), await watch()];
    await first.subscribe({ session_id: one.sessionId });
    await second.subscribe({ session_id: same.sessionId });
    await stranger.subscribe({ session_id: other.sessionId });
    await tell(one.jobId, 'for two');
    await tell(other.jobId, 'for one');
    await Promise.all([first.hears(1), second.hears(1), stranger.hears(1)]);
    expect(first.facts).toMatchObject([{ job_id: one.jobId, session_id: one.sessionId, message: 'for two' }]);
    expect(second.facts).toMatchObject([{ job_id: one.jobId }]);
    expect(second.snapshots[0]?.session_id).toBe(same.sessionId);
    expect(stranger.facts).toMatchObject([{ job_id: other.jobId }]);
  });

  it('S3-11 a fact carries type, ids, number and time, no tenant, and arrives within 100 ms', async () => {
    const upload = await gateway.insertUpload();
    const watcher = await watch();
    await watcher.subscribe({ job_id: upload.jobId });
    const delays: number[] = [];
    for (let seq = 1; seq <= 9; seq += 1) {
      const fact = await milestone(upload.jobId, 'now');
      const published = Date.now();
      await gateway.publish(fact);
      await watcher.hears(seq);
      delays.push((watcher.facts.at(-1)?.at ?? 0) - published);
    }
    expect(delays.sort((a, b) => a - b)[4]).toBeLessThan(100);
    expect(watcher.facts[0]).toMatchObject({
      event_type: 'processing_progress',
      job_id: upload.jobId,
      session_id: upload.sessionId,
      seq: 1,
      stage: 'uploading',
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
    });
    expect(JSON.stringify(watcher.facts[0])).not.toContain('tenant');
  });

  it('progress that was not stored is told too, older progress than the snapshot is not', async () => {
    const upload = await gateway.insertUpload();
    const older = await gateway.record(upload.jobId, {
      type: 'upload_progress',
      durable: false,
      progress: 6,
    });
    await milestone(upload.jobId, 'newer');
    const watcher = await watch();
    await watcher.subscribe({ job_id: upload.jobId });
    const state = await gateway.record(upload.jobId, {
      type: 'upload_progress',
      durable: false,
      bytesReceived: 700,
    });
    await gateway.publish(older, state);
    await tell(upload.jobId, 'the end');
    await watcher.hears(3);
    expect(watcher.order).toEqual(['snapshot 2', 'upload_progress 2', 'processing_progress 3']);
    expect(watcher.facts[0]?.bytes_received).toBe(700);
  });

  it('a fact that was committed and never announced comes from its row', async () => {
    const upload = await gateway.insertUpload();
    const watcher = await watch();
    await watcher.subscribe({ session_id: upload.sessionId });
    await milestone(upload.jobId, 'its publisher died');
    await tell(upload.jobId, 'announced');
    await watcher.hears(1);
    await tell(upload.jobId, 'the last');
    await watcher.hears(3);
    expect(watcher.numbers().sort()).toEqual([1, 2, 3]);
    expect(watcher.facts.find((fact) => fact.seq === 1)?.message).toBe('its publisher died');
  });

  it('S3-11 a heartbeat tells that the line is alive', async () => {
    const watcher = await watch();
    const beat = await waitFor(() => watcher.heartbeats[0], {
      what: 'a heartbeat',
    });
    expect(beat.timestamp).toMatch(/Z$/);
  });

  it('who unsubscribes hears no more of it, and still of the rest', async () => {
    const [one, other] = [await gateway.insertUpload(), await gateway.insertUpload()];
    const watcher = await watch();
    await watcher.subscribe({ session_id: one.sessionId });
    await watcher.subscribe({ job_id: other.jobId });
    expect(await watcher.unsubscribe({ session_id: one.sessionId })).toEqual({ ok: true });
    await tell(one.jobId, 'unheard');
    await tell(other.jobId, 'heard');
    await watcher.hears(1);
    expect(watcher.facts.map((fact) => fact.job_id)).toEqual([other.jobId]);
  });
});

describe('requests of a client', () => {
  it.each([
    [undefined, 'bad_request'],
    [null, 'bad_request'],
    ['job', 'bad_request'],
    [{}, 'bad_request'],
    [{ job_id: 5 }, 'bad_request'],
    [{ job_id: randomUUID(), session_id: randomUUID() }, 'bad_request'],
    [{ job_id: 'x' }, 'malformed_id'],
    [{ job_id: { $ne: null } }, 'bad_request'],
    [{ session_id: "' OR 1=1" }, 'malformed_id'],
    [{ job_id: randomUUID() }, 'job_not_found'],
    [{ session_id: randomUUID() }, 'session_not_found'],
  ])('%j is answered with a code and harms nobody', async (request, code) => {
    const upload = await gateway.insertUpload();
    const watcher = await watch();
    expect(await watcher.subscribe(request)).toMatchObject({ ok: false, code, message: expect.any(String) });
    expect(await watcher.subscribe({ job_id: upload.jobId })).toMatchObject({ ok: true });
  });

  it('without an acknowledgement the answer is an event', async () => {
    const watcher = await watch();
    watcher.socket.emit('subscribe', { job_id: 'x' });
    const error = await waitFor(() => watcher.facts.find((fact) => fact.event_type === 'error'), {
      what: 'an error',
    });
    expect(error.code).toBe('malformed_id');
  });

  it('one connection follows a bounded number of videos', async () => {
    const upload = await gateway.insertUpload();
    await gateway.database.query(
      `INSERT INTO upload_sessions (id, tenant_id, job_id, filename, expires_at)
       SELECT gen_random_uuid(), 'default', $1, 'many', now() FROM generate_series(1, 256)`,
      [upload.jobId],
    );
    const sessions = (await gateway.database.query(
      "SELECT id FROM upload_sessions WHERE filename = 'many'",
    )) as {
      id: string;
    }[];
    const watcher = await watch();
    for (const { id } of sessions)
      expect(await watcher.subscribe({ session_id: id })).toMatchObject({ ok: true });
    expect(await watcher.subscribe({ job_id: upload.jobId })).toMatchObject({
      ok: false,
      code: 'bad_request',
    });
    expect(await watcher.subscribe({ session_id: sessions[0]?.id })).toMatchObject({ ok: true });
  });

  it('a message that is far too large ends only its own connection', async () => {
    const [rude, polite] = [await watch(), await watch()];
    rude.socket.emit('subscribe', { job_id: 'x'.repeat(100_000) });
    await waitFor(() => rude.socket.disconnected, { what: 'the connection to be dropped' });
    const upload = await gateway.insertUpload();
    expect(await polite.subscribe({ job_id: upload.jobId })).toMatchObject({ ok: true });
  });
});
