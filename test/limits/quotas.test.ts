import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PutTenantRequest, TenantView } from '#contracts';
import { type Stack, startStack } from '#testing';
import { videoBytes } from '../upload/support.js';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({
    services: { transcode: 0, 'segment-upload': 0 },
    env: { QUOTA_OPEN_SESSIONS: '3', WEBSOCKET_ENABLED: 'false' },
  });
});
afterAll(() => stack?.stop());

const MIB = 1024 ** 2;
const TUS = { 'tus-resumable': '1.0.0', 'upload-metadata': 'filename YS5tcDQ=' };

async function open(size = MIB) {
  const response = await fetch(`${stack.urls.upload}/v1/upload/video/session`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ filename: 'a.mp4', size }),
  });
  return { status: response.status, ...((await response.json()) as Record<string, unknown>) };
}

async function tenant(put?: PutTenantRequest): Promise<TenantView> {
  const response = await fetch(
    `${stack.urls.gateway}/v1/tenants/default`,
    put && {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(put),
    },
  );
  expect(response.status).toBe(200);
  return (await response.json()) as TenantView;
}

const cancelAll = async () => {
  for (const { id } of await stack.query(`SELECT id FROM upload_sessions WHERE status = 'active'`))
    await fetch(`${stack.urls.upload}/v1/upload/video/session/${id}`, { method: 'DELETE' });
};

describe('quotas of a tenant', () => {
  it('open sessions: as many as the deployment gives, or as its row says; also where many ask at once', async () => {
    const opened = await Promise.all(Array.from({ length: 8 }, () => open()));
    expect(opened.filter(({ status }) => status === 201)).toHaveLength(3);
    expect(opened.find(({ status }) => status !== 201)).toMatchObject({
      status: 403,
      code: 'quota_exceeded',
      details: { quota: 'open_sessions', limit: 3, used: 3 },
    });
    const part = await fetch(`${stack.urls.upload}/files`, {
      method: 'POST',
      headers: { ...TUS, 'upload-length': '1000', 'upload-concat': 'partial' },
    });
    expect(part.status).toBe(403);

    expect(await tenant({ name: 'Us', quotas: { open_sessions: 4 } })).toMatchObject({
      name: 'Us',
      quotas: { bytes_stored: null, minutes_per_month: null, open_sessions: 4 },
      limits: { bytes_stored: null, minutes_per_month: null, open_sessions: 4 },
      usage: { open_sessions: 3, bytes_arriving: 3 * MIB, bytes_stored: 0, minutes_this_month: 0 },
    });
    expect((await open()).status).toBe(201);
    expect((await open()).status).toBe(403);
    await cancelAll();
    expect((await open()).status).toBe(201);
    await cancelAll();
  });

  it('bytes: what is stored and what is on its way; minutes: what was encoded this month', async () => {
    await tenant({ quotas: { open_sessions: 0, bytes_stored: 10 * MIB, minutes_per_month: 2 } });
    expect((await open(6 * MIB)).status).toBe(201);
    expect(await open(5 * MIB)).toMatchObject({
      code: 'quota_exceeded',
      details: { quota: 'bytes_stored', limit: 10 * MIB, used: 6 * MIB },
    });
    await cancelAll();

    const [asset, job] = [randomUUID(), randomUUID()];
    await stack.query(`INSERT INTO assets (id, tenant_id, profile) VALUES ($1, 'default', 'default')`, [
      asset,
    ]);
    await stack.query(
      `INSERT INTO jobs (id, tenant_id, asset_id, status, source_complete) VALUES ($1, 'default', $2, 'processing', true)`,
      [job, asset],
    );
    await stack.query(
      `INSERT INTO renditions (id, tenant_id, job_id, asset_id, name, kind, mode, position, timescale, max_bitrate,
         target_duration, bytes, seconds_completed)
       SELECT gen_random_uuid(), 'default', $1, $2, name, 'video', 'encode', 0, 1, 1, 4, $3, 90
       FROM unnest(ARRAY['240p', '360p']) AS name`,
      [job, asset, 4 * MIB],
    );
    await stack.query(`UPDATE jobs SET status = 'completed' WHERE id = $1`, [job]);
    await stack.query(`UPDATE assets SET status = 'ready' WHERE id = $1`, [asset]);
    expect((await tenant()).usage).toMatchObject({ bytes_stored: 8 * MIB, minutes_this_month: 1.5 });
    expect((await open(2 * MIB)).status).toBe(201);
    expect((await open(1)).status).toBe(403);
    await cancelAll();

    await stack.query(`UPDATE assets SET status = 'deleting' WHERE id = $1`, [asset]);
    expect((await tenant()).usage.bytes_stored).toBe(8 * MIB);
    await stack.query(`UPDATE assets SET status = 'deleted' WHERE id = $1`, [asset]);
    expect((await tenant()).usage.bytes_stored).toBe(0);
    await stack.query(`UPDATE tenant_months SET seconds_encoded = 120`);
    expect(await open(1)).toMatchObject({ details: { quota: 'minutes_per_month', limit: 2, used: 2 } });
    await stack.query(`UPDATE tenant_months SET month = month - interval '1 month'`);
    expect((await open(2000)).status).toBe(201);
  });

  it('a tus file of parts needs no more room than its parts have been given', async () => {
    await cancelAll();
    const length = 64 * 1024;
    await tenant({ quotas: { open_sessions: 2, bytes_stored: 2 * length, minutes_per_month: 0 } });
    const files = `${stack.urls.upload}/files`;
    const file = videoBytes(2 * length);
    const parts = await Promise.all(
      [0, length].map(async (from) => {
        const part = await fetch(files, {
          method: 'POST',
          headers: { ...TUS, 'upload-length': String(length), 'upload-concat': 'partial' },
        });
        const path = String(part.headers.get('location'));
        const url = new URL(path, stack.urls.upload);
        const sent = await fetch(url, {
          method: 'PATCH',
          headers: { ...TUS, 'content-type': 'application/offset+octet-stream', 'upload-offset': '0' },
          body: new Uint8Array(file.subarray(from, from + length)),
        });
        expect(sent.status).toBe(204);
        return url.pathname;
      }),
    );
    const whole = await fetch(files, {
      method: 'POST',
      headers: { ...TUS, 'upload-concat': `final;${parts.join(' ')}` },
    });
    expect(whole.status).toBe(201);
  });

  it('what is no quota, or no name of a tenant, is refused', async () => {
    const put = (id: string, body: unknown) =>
      fetch(`${stack.urls.gateway}/v1/tenants/${id}`, {
        method: 'PUT',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
    for (const body of [[], { quotas: { bytes_stored: -1 } }, { quotas: { gigabytes: 1 } }, { name: 7 }]) {
      const response = await put('default', body);
      expect(response.status).toBe(400);
      expect(response.headers.get('content-type')).toContain('application/problem+json');
    }
    expect((await put('a%2Fb', {})).status).toBe(400);
  });
});
