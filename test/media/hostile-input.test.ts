import { readdirSync, readFileSync } from 'node:fs';
import { copyFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  analyzeSource,
  audioRun,
  CONTAINERS,
  copyRun,
  DEFAULT_INPUT_LIMITS,
  headerArguments,
  packetArguments,
  planJob,
  runTool,
  type SourceLimits,
  videoRun,
} from '#media';
import { makeFile } from '../clips/make.js';
import { refer } from '../clips/references.js';
import { run } from '../clips/run.js';
import { type Trap, trapsTo } from '../clips/traps.js';
import { analysis, options } from './analysis.js';

const HLS = 'an HLS playlist of an address';
const WORST = 'an HLS playlist of a file';

const video = (file: string, size = '320x240') =>
  makeFile({
    file,
    steps: [
      ['-f', 'lavfi', '-i', `testsrc2=s=${size}:r=25:d=1`, '-c:v', 'libx264', '-preset', 'ultrafast', '%out'],
    ],
  });

/** What is served by its name, and who asked for what must not be asked for. */
class Net {
  readonly files = new Map<string, Buffer>();
  visits = 0;
  private readonly server: Server = createServer((request, response) => {
    const name = decodeURIComponent(request.url?.slice(1) ?? '');
    if (name.startsWith('canary')) this.visits++;
    // A source that never says a word.
    if (name === 'silence') return;
    const bytes = this.files.get(name) ?? Buffer.alloc(0);
    const from = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    if (from > 0) response.setHeader('content-range', `bytes ${from}-${bytes.length - 1}/${bytes.length}`);
    response.statusCode = from > 0 ? 206 : 200;
    response.setHeader('accept-ranges', 'bytes');
    response.end(bytes.subarray(from));
  });

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
  }

  url = (name: string) =>
    `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/${encodeURIComponent(name)}`;

  stop(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}

const net = new Net();
let dir: string;
let traps: Trap[];

beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'sluice-canary-'));
  const canary = path.join(dir, 'canary.ts');
  await copyFile(await video('canary.ts'), canary);
  await net.start();
  net.files.set('canary.ts', await readFile(canary));
  traps = trapsTo(canary, net.url('canary.ts'));
  for (const { name, bytes } of traps) net.files.set(name, bytes);
});
afterAll(async () => {
  net.stop();
  await rm(dir, { recursive: true, force: true });
});

describe('a text that sends ffmpeg elsewhere', () => {
  it('does so where nothing is forbidden: the canary sings', async () => {
    await run('ffprobe', ['-v', 'error', '-i', net.url(HLS)]);
    expect(net.visits).toBeGreaterThan(0);
  });

  it.each(CONTAINERS)('is neither followed nor read when we took it for %s', async (container) => {
    net.visits = 0;
    // All of them through one demuxer, and the worst through each.
    for (const { name } of traps.filter((trap) => container === 'mov' || trap.name === WORST)) {
      const found = await run('ffprobe', headerArguments(net.url(name), container, DEFAULT_INPUT_LIMITS));
      expect(found.stdout.toString(), name).not.toContain('h264');
    }
    const plan = planJob({ ...analysis(), container }, options);
    const out = path.join(dir, `${container}.mp4`);
    const copied = await run('ffmpeg', copyRun(plan, net.url(HLS), out));
    expect(copied.code).not.toBe(0);
    expect(net.visits).toBe(0);
  });
});

describe('a movie whose samples are in another file', () => {
  const REFERENCES = ['alis', 'url '] as const;
  const fileOf = (as: string) => path.join(dir, `${as.trim()}.mov`);
  let samples: Buffer;
  beforeAll(async () => {
    for (const as of REFERENCES) {
      await copyFile(await video('plain.mp4'), fileOf(as));
      await refer(fileOf(as), as, `${fileOf(as)}.samples`);
      net.files.set(as, await readFile(fileOf(as)));
    }
    const bytes = await readFile(`${fileOf('alis')}.samples`);
    // What stands in the middle of the media data stands nowhere else.
    samples = bytes.subarray(bytes.length / 2, bytes.length / 2 + 64);
  });
  /** Whether a run of ffmpeg has written them. */
  const hasThem = async (args: string[]) => {
    const out = path.join(dir, 'out.mp4');
    await run('ffmpeg', [...args.slice(0, -1), '-y', out]);
    const written = await readFile(out).catch(() => Buffer.alloc(0));
    await rm(out, { force: true });
    return written.includes(samples);
  };
  const copy = (name: string) => {
    const plan = planJob({ ...analysis(), container: 'mov', audio: null }, options);
    return hasThem(copyRun(plan, net.url(name), 'out'));
  };

  it('sends ffmpeg there where nothing is forbidden: the canary sings', async () => {
    const open = ['-enable_drefs', '1', '-use_absolute_path', '1', '-i', fileOf('alis')];
    expect(await hasThem([...open, '-c', 'copy', 'out'])).toBe(true);
    net.files.set('plain', await readFile(`${fileOf('alis')}.samples`));
    expect(await copy('plain')).toBe(true);
  });

  it.each(REFERENCES)('S3-05 is not followed there (%s)', async (as) => {
    expect(await copy(as)).toBe(false);
  });
});

describe('every command on a stranger’s bytes', () => {
  const url = 'http://127.0.0.1:1/source';
  const commands = (container: (typeof CONTAINERS)[number]): Record<string, string[]> => {
    const plan = planJob({ ...analysis(), container }, options);
    const rendition = plan.renditions.find(({ mode, kind }) => mode === 'encode' && kind === 'video');
    if (!rendition) throw new Error('a plan without a rung to encode');
    const outputs = [{ rendition, firstSegment: 0, target: 'unix:/out' }];
    return {
      header: headerArguments(url, container, DEFAULT_INPUT_LIMITS),
      packets: packetArguments(url, container, DEFAULT_INPUT_LIMITS, 0),
      video: videoRun(plan, { source: url, seekSeconds: 8, endSegment: 2, outputs }),
      audio: audioRun(plan, url, 'unix:/out'),
      copy: copyRun(plan, url, 'unix:/out'),
    };
  };

  it.each(CONTAINERS)(
    'has one demuxer, known decoders and one way to bytes before its input (%s)',
    (container) => {
      for (const [name, args] of Object.entries(commands(container))) {
        expect(
          args.filter((word) => word === '-i'),
          name,
        ).toHaveLength(1);
        const before = args.slice(0, args.indexOf('-i'));
        const optionOf = (option: string) => before[before.indexOf(option) + 1];
        expect(args[before.length + 1], name).toBe(url);
        expect(optionOf('-f'), name).toBe(container);
        expect(optionOf('-format_whitelist'), name).toBe(container);
        expect(optionOf('-protocol_whitelist'), name).toBe('http,tcp');
        expect(optionOf('-codec_whitelist')?.split(','), name).toContain('h264');
        expect(optionOf('-codec_whitelist')?.split(','), name).not.toContain('ansi');
        expect(optionOf('-max_pixels'), name).toBe(String(DEFAULT_INPUT_LIMITS.maxPixels));
        expect(optionOf('-max_streams'), name).toBe(String(DEFAULT_INPUT_LIMITS.maxStreams));
        expect(optionOf('-probesize'), name).toMatch(/^\d+$/);
      }
    },
  );
});

describe('nothing else', () => {
  it('runs ffmpeg or ffprobe, or starts a process that reads a source', () => {
    const sources = ['apps', 'libs'].flatMap((folder) =>
      readdirSync(folder, { recursive: true, encoding: 'utf8' })
        .filter((file) => file.endsWith('.ts'))
        .map((file) => path.join(folder, file)),
    );
    const naming = (pattern: RegExp) =>
      sources.filter((file) => pattern.test(readFileSync(file, 'utf8'))).toSorted();
    expect(naming(/\brunTool\(/)).toEqual([
      'apps/transcode/src/finishing/finishing-tool.ts',
      'apps/transcode/src/spans/span-runner.ts',
      'libs/media/src/ffmpeg/abilities.ts',
      'libs/media/src/ffmpeg/fingerprint.ts',
      'libs/media/src/ffmpeg/supervised.ts',
      'libs/media/src/ffmpeg/trial.ts',
      'libs/media/src/probe/run-probe.ts',
      'libs/media/src/quality/command.ts',
    ]);
    const starting = naming(/from 'node:child_process'/);
    expect(starting.filter((file) => !/^libs\/(launcher|testing)\//.test(file))).toEqual([
      'libs/media/src/ffmpeg/supervised.ts',
    ]);
  });
});

describe('a probe', () => {
  const limits: SourceLimits = {
    ...DEFAULT_INPUT_LIMITS,
    maxDurationSeconds: 3600,
    maxBitRate: 1e9,
    minBitRate: 50,
    maxFrameRate: 1000,
    probeTimeoutSeconds: 60,
    probeMemoryBytes: 1024 ** 3,
  };
  const analyze = async (file: string, url: string, change: Partial<SourceLimits> = {}) => {
    const bytes = await readFile(file);
    const read = (start: number, end: number) => Promise.resolve(bytes.subarray(start, end));
    const source = { size: bytes.length, read };
    return analyzeSource(source, url, { ffprobePath: 'ffprobe', limits: { ...limits, ...change } });
  };

  it('S3-05 that gets no bytes ends when its time is over', async () => {
    const probe = analyze(await video('plain.mp4'), net.url('silence'), { probeTimeoutSeconds: 0.5 });
    await expect(probe).rejects.toMatchObject({ code: 'probe_timeout' });
  });

  it('S3-05 has no more memory than it is given', async () => {
    const lines: string[] = [];
    await runTool('/bin/bash', ['-c', 'ulimit -v'], {
      limitMs: 10_000,
      memoryBytes: 512 * 1024 ** 2,
      onLine: (line) => lines.push(line),
    });
    // In KiB.
    expect(lines).toEqual([String(512 * 1024)]);
  });

  it('tells a good file’s length within the same limits', async () => {
    const file = await video('plain.mp4');
    net.files.set('plain', await readFile(file));
    const { timeline } = await analyze(file, net.url('plain'));
    expect(timeline).toMatchObject({ frames: 25, endSeconds: 1 });
  });
});
