import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { SERVICES } from '#contracts';
import { readCompose, withoutOutside } from '../config/sources.js';
import { copied, reachesTheBuild, readDockerfile } from './dockerfile.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

describe('the image', () => {
  const stages = readDockerfile('docker/Dockerfile');
  const last = stages.at(-1)!;
  const copies = stages.flatMap((stage) =>
    stage.instructions.filter(({ name }) => name === 'COPY').map((instruction) => copied(instruction)),
  );

  it('is built in one stage and runs in another, on Node 24', () => {
    expect(stages.map(({ name }) => name)).toEqual(['build', 'runtime']);
    for (const { image } of stages) expect(image).toMatch(/^node:24-/);
  });

  it('copies only what is there and what reaches the builder', () => {
    for (const source of copies.filter(({ from }) => from === null).flatMap(({ sources }) => sources)) {
      expect(existsSync(`${root}${source}`), source).toBe(true);
      expect(reachesTheBuild(source), source).toBe(true);
    }
  });

  it('takes from earlier stages only what they made', () => {
    const earlier = new Set(stages.slice(0, -1).map(({ name }) => name));
    const made = /^\/app\/(package\.json|node_modules|dist)$/;
    for (const { from, sources } of copies.filter((copy) => copy.from !== null)) {
      expect(earlier).toContain(from);
      for (const source of sources) expect(source).toMatch(made);
    }
  });

  it('sends the builder neither secrets nor what was built or stored here', () => {
    for (const path of ['.env', '.git', '.sluice', 'dist', 'node_modules', 'test', 'docker/compose.yaml']) {
      expect(reachesTheBuild(path), path).toBe(false);
    }
  });

  it('has ffmpeg and tini, is not root, and tini is the first process', () => {
    const run = last.instructions.filter(({ name }) => name === 'RUN').map(({ rest }) => rest);
    expect(run.join()).toMatch(/apt-get install -y --no-install-recommends ffmpeg tini/);
    expect(last.instructions.filter(({ name }) => name === 'USER').at(-1)?.rest).toBe('1000:1000');
    const entry = last.instructions.find(({ name }) => name === 'ENTRYPOINT')!;
    expect(JSON.parse(entry.rest)).toEqual([
      'tini',
      '--',
      'node',
      '--enable-source-maps',
      'docker/service.mjs',
    ]);
  });

  it('bakes no secret in', () => {
    const settings = stages.flatMap(({ instructions }) =>
      instructions.filter(({ name }) => /^(ENV|ARG)$/.test(name)),
    );
    expect(settings.map(({ rest }) => rest).join()).not.toMatch(/SECRET|PASSWORD|DATABASE_URL/);
  });
});

describe('the entry point of the image', () => {
  const start = (args: string[], env: Record<string, string> = {}): SpawnSyncReturns<string> =>
    spawnSync(process.execPath, ['docker/service.mjs', ...args], {
      cwd: root,
      encoding: 'utf8',
      env: { PATH: process.env.PATH ?? '', ...env },
    });

  it.each([[[] as string[]], [['everything']], [['../upload']]])(
    'says what it can run when asked for %j',
    (args) => {
      const { status, stderr } = start(args);
      expect(status).toBe(1);
      for (const service of SERVICES) expect(stderr).toContain(service);
    },
  );

  it.each(
    SERVICES.map((service, index) => (index % 2 === 0 ? [service, 'argument'] : [service, 'SLUICE_SERVICE'])),
  )('becomes %s when %s says so', (service, by) => {
    const { status, stderr } = by === 'argument' ? start([service]) : start([], { SLUICE_SERVICE: service });
    // Without a configuration a service ends with the list of what is missing: it was reached.
    expect(stderr).toMatch(/^The configuration is not usable:\n( {2}- [A-Z_]+ is not set\n){4}$/);
    expect(status).toBe(1);
  });

  it('runs a command of the operator in the place of a service', () => {
    const { status, stdout } = start(['doctor', '--json'], { FFMPEG_PATH: '/nowhere/ffmpeg' });
    expect(status).toBe(1);
    expect(stdout).toContain('DATABASE_URL is not set');
  });

  it.each([
    [200, 0],
    [503, 1],
  ])('S1-09 the health check of a service that answers %i ends with %i', async (answer, expected) => {
    const server = createServer((request, response) => {
      response.writeHead(request.url === '/health' ? answer : 404, { 'content-type': 'application/json' });
      response.end('{"status":"degraded"}');
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const { port } = server.address() as AddressInfo;
      const check = spawn(process.execPath, ['docker/health.mjs', 'segment-upload'], {
        cwd: root,
        stdio: 'ignore',
        env: { SEGMENT_UPLOAD_PORT: String(port) },
      });
      const [code] = await once(check, 'exit');
      expect(code).toBe(expected);
    } finally {
      server.close();
    }
  });

  it('the health check of a service that is not there fails', () => {
    const { status } = spawnSync(process.execPath, ['docker/health.mjs', 'gateway'], {
      cwd: root,
      env: { GATEWAY_PORT: '1' },
    });
    expect(status).toBe(1);
  });
});

describe('the Compose file', () => {
  const { services, volumes } = readCompose();

  it('has Redis, Postgres and the four services', () => {
    expect(Object.keys(services).sort()).toEqual([...SERVICES, 'postgres', 'redis'].sort());
  });

  it.each(Object.keys(services))('runs %s hardened, with a health check', (name) => {
    const service = services[name]!;
    expect(service.read_only).toBe(true);
    expect(service.cap_drop).toEqual(['ALL']);
    expect(service.security_opt).toContain('no-new-privileges:true');
    expect(service.healthcheck!.test[0]).toBe('CMD');
    for (const volume of service.volumes) expect(Object.keys(volumes)).toContain(volume.split(':')[0]);
  });

  it.each(SERVICES)('starts %s from the image once Redis and Postgres are healthy', (name) => {
    const service = services[name]!;
    expect(service.command).toEqual([name]);
    expect(service.build).toEqual({ context: '..', dockerfile: 'docker/Dockerfile' });
    expect(service.healthcheck!.test.slice(1)).toEqual(['node', 'docker/health.mjs', name]);
    expect(service.depends_on).toEqual({
      postgres: { condition: 'service_healthy' },
      redis: { condition: 'service_healthy' },
    });
    expect(service.cap_add).toBeUndefined();
  });

  it('S1-10 waits for requests in flight longer than a service does', () => {
    const grace = Number(withoutOutside(services.upload!.environment!.SHUTDOWN_GRACE_SECONDS!));
    for (const name of SERVICES) {
      expect(Number.parseInt(services[name]!.stop_grace_period!, 10)).toBeGreaterThan(grace + 5);
    }
  });

  it('gives segments that wait a scratch of their own', () => {
    const scratch = services.transcode!.environment!.SCRATCH_DIR;
    expect(services.transcode!.tmpfs!.some((mount) => mount.startsWith(`${scratch}:size=`))).toBe(true);
  });

  it('has a Redis that keeps what waits and never evicts it', () => {
    expect(services.redis!.command!.join(' ')).toMatch(/--appendonly yes.*--maxmemory-policy noeviction/);
  });

  it('publishes two ports, on loopback only', () => {
    const ports = Object.values(services).flatMap((service) => service.ports ?? []);
    expect(ports.sort()).toEqual(['127.0.0.1:4100:4100', '127.0.0.1:4101:4101']);
  });
});
