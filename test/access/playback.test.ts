import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PlaybackSigner } from '#access';
import { type JobView, mediaPrefix, type ProblemDetails } from '#contracts';
import { openStore } from '#storage';
import { bearer, type Deployment, SECRET, startDeployment, type Tenant } from './tenants.js';

const TTL = 3600;
const settings = {
  AUTH_MODE: 'keys' as const,
  INTERNAL_SECRET: SECRET,
  PLAYBACK_SIGNED: 'auto',
  PLAYBACK_TTL_SECONDS: TTL,
};
const signer = new PlaybackSigner(settings);

describe('signed addresses', () => {
  const asset = randomUUID();
  const now = 1_700_000_000_000;

  it('are good for one to two times what is set, and the same for as long as they may be', () => {
    for (let minute = 0; minute < 180; minute += 7) {
      const at = now + minute * 60_000;
      const left = signer.secondsLeft(signer.ticket(asset, at), asset, at);
      expect(left).toBeGreaterThan(TTL);
      expect(left).toBeLessThanOrEqual(2 * TTL);
    }
    const tickets = Array.from({ length: 61 }, (_, minute) => signer.ticket(asset, now + minute * 60_000));
    expect(new Set(tickets).size).toBe(2);
  });

  it('are for one asset, until their time, and by our secret', () => {
    const ticket = signer.ticket(asset, now);
    expect(signer.secondsLeft(ticket, randomUUID(), now)).toBeNull();
    expect(signer.secondsLeft(ticket, asset, now + 2 * TTL * 1000)).toBeNull();
    const [expires, signature] = ticket.split('.');
    expect(signer.secondsLeft(`${Number(expires) + 60}.${signature}`, asset, now)).toBeNull();
    expect(signer.secondsLeft(`${expires}.${signature}A`, asset, now)).toBeNull();
    expect(signer.secondsLeft('', asset, now)).toBeNull();
    const other = new PlaybackSigner({ ...settings, INTERNAL_SECRET: 'x'.repeat(32) });
    expect(other.secondsLeft(ticket, asset, now)).toBeNull();
  });

  it('stand in every part of a fact that has addresses, and nowhere else', () => {
    const path = `/${mediaPrefix(asset)}master.m3u8`;
    const fact = {
      message: path,
      playback: { hls: path, dash: null },
      result: { downloads: [{ url: path, bytes: 3 }], duration_seconds: 1 },
    };
    const signed = signer.sign(fact);
    const prefix = `/media/signed/${signer.ticket(asset)}/${asset}/`;
    expect(signed).toEqual({
      message: path,
      playback: { hls: `${prefix}master.m3u8`, dash: null },
      result: { downloads: [{ url: `${prefix}master.m3u8`, bytes: 3 }], duration_seconds: 1 },
    });
    expect(fact.playback.hls).toBe(path);
    expect(new PlaybackSigner({ ...settings, AUTH_MODE: 'open' }).sign(fact)).toBe(fact);
  });
});

describe('media of a deployment that asks who comes', () => {
  let deployment: Deployment;
  let ada: Tenant;
  let gateway: string;
  let job: string;
  let asset: string;

  beforeAll(async () => {
    const env = { PLAYBACK_TTL_SECONDS: String(TTL) };
    deployment = await startDeployment({
      services: { upload: 0, transcode: 0, 'segment-upload': 0 },
      env,
    });
    ada = await deployment.tenant('ada');
    gateway = deployment.stack.urls.gateway;
    [job, asset] = [randomUUID(), randomUUID()];
    const store = await openStore({ STORAGE_DRIVER: 'directory', STORAGE_DIR: deployment.stack.storageDir });
    await store.put(`${mediaPrefix(asset)}master.m3u8`, Buffer.from('#EXTM3U\n240p/index.m3u8\n'));
    await store.put(`${mediaPrefix(asset)}240p/index.m3u8`, Buffer.from('#EXTM3U\nseg_0000-0123abcd.m4s\n'));
    await store.put(`${mediaPrefix(asset)}240p/seg_0000-0123abcd.m4s`, Buffer.from('bytes'));
    const result = JSON.stringify({ hls: `/${mediaPrefix(asset)}master.m3u8`, dash: null });
    await deployment.stack.query(
      `INSERT INTO assets (id, tenant_id, profile, status) VALUES ($1, 'ada', 'default', 'ready')`,
      [asset],
    );
    await deployment.stack.query(
      `INSERT INTO jobs (id, tenant_id, asset_id, status, stage, progress, result, source_complete, packaged_at)
       VALUES ($1, 'ada', $2, 'completed', 'completed', 100, $3, true, now())`,
      [job, asset, result],
    );
  });
  afterAll(() => deployment?.stop());

  const refusal = async (response: Response) => [
    response.status,
    ((await response.json()) as ProblemDetails).code,
  ];

  it('plays by relative addresses from the one that the job tells, without credentials', async () => {
    const view = (await (
      await fetch(`${gateway}/jobs/${job}`, { headers: bearer(ada.key) })
    ).json()) as JobView;
    expect(view.playback.hls).toMatch(/^\/media\/signed\//);
    let address = new URL(view.playback.hls ?? '', gateway);
    for (;;) {
      const response = await fetch(address);
      expect(response.status, address.href).toBe(200);
      expect(response.headers.get('cache-control')).toMatch(/^private, max-age=\d+/);
      const next = (await response.text()).split('\n').find((line) => line !== '' && !line.startsWith('#'));
      if (next === 'bytes') break;
      address = new URL(next ?? '', address);
    }
    expect(address.pathname).toMatch(/seg_0000-0123abcd\.m4s$/);
  });

  it('is refused where the address is another one, and by the plain one to who has no right', async () => {
    const changed = `${gateway}/media/signed/${signer.ticket(randomUUID())}/${asset}/master.m3u8`;
    expect(await refusal(await fetch(changed))).toEqual([403, 'bad_signature']);
    const plain = `${gateway}/media/${asset}/master.m3u8`;
    expect(await refusal(await fetch(plain))).toEqual([401, 'unauthenticated']);
    expect((await fetch(plain, { headers: bearer(ada.key) })).status).toBe(200);
    const bob = await deployment.tenant('bob');
    expect(await refusal(await fetch(plain, { headers: bearer(bob.key) }))).toEqual([404, 'media_not_found']);
    const blind = await deployment.tenant('ada', ['jobs:read']);
    expect(await refusal(await fetch(plain, { headers: bearer(blind.key) }))).toEqual([403, 'scope_missing']);
  });

  it('is not reached by climbing out of a signed folder', async () => {
    const ticket = signer.ticket(asset);
    const other = randomUUID();
    for (const path of [`${asset}/..%2f${other}/master.m3u8`, `${asset}/%2e%2e/${other}/master.m3u8`]) {
      const response = await fetch(`${gateway}/media/signed/${ticket}/${path}`);
      expect([401, 403, 404], path).toContain(response.status);
    }
  });
});
