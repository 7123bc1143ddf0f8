import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Stack, startStack, testDir } from '#testing';
import { scanStream } from '../../apps/upload/src/scan/clamd.js';
import { fileOf, GOOD } from '../clips/good.js';
import { jobEnd, mustComplete, upload, waitUntilClean } from '../pipeline/harness.js';
import { type Clamd, EICAR, startClamd } from './clamd.js';

const MIB = 2 ** 20;

describe('S3-09 a real clamd', () => {
  let folder: string;
  let clamd: Clamd | null;
  let stack: Stack | undefined;
  beforeAll(async () => {
    folder = await testDir('clamd');
    clamd = await startClamd(folder, '25M');
    if (clamd) stack = await startStack({ env: { SCAN_MODE: 'before', CLAMD_SOCKET: clamd.socket } });
  });
  afterAll(async () => {
    await stack?.stop();
    await clamd?.stop();
    await rm(folder, { recursive: true, force: true });
  });
  const needed = (skip: (note: string) => void) => {
    if (!clamd || !stack)
      skip('clamd cannot be fetched here: it comes from Debian’s packages (apt-get download)');
    return { clamd: clamd as Clamd, stack: stack as Stack };
  };
  const scan = async ({ socket }: Clamd, megabytes: number, last: Buffer) => {
    const bytes = async function* () {
      for (let i = 0; i < megabytes; i++) yield Buffer.alloc(MIB, i);
      yield last;
    };
    const signal = new AbortController().signal;
    return scanStream({ path: socket }, bytes(), { maxBytes: 100 * MIB, timeoutMs: 60_000, signal });
  };

  it('lets go what is clean and finds what is not, behind 20 MiB, too', async ({ skip }) => {
    const it = needed(skip).clamd;
    expect(await scan(it, 1, Buffer.from('nothing'))).toEqual({ clean: true });
    expect(await scan(it, 20, EICAR)).toMatchObject({
      clean: false,
      signature: expect.stringContaining('Eicar-Test-Signature'),
    });
  });

  it('gives no verdict above its StreamMaxLength', async ({ skip }) => {
    await expect(scan(needed(skip).clamd, 30, EICAR)).rejects.toMatchObject({ name: 'ScannerError' });
  });

  it('keeps a video with a virus in it from being worked on, and lets the same one without it through', async ({
    skip,
  }) => {
    const { stack } = needed(skip);
    const clip = await fileOf(GOOD.find(({ name }) => name === 'one-frame')!);
    const header = Buffer.alloc(8);
    header.writeUInt32BE(8 + EICAR.length);
    header.write('free', 4, 'latin1');
    const infected = path.join(folder, 'infected.mp4');
    await writeFile(infected, Buffer.concat([await readFile(clip), header, EICAR]));
    const ids = { session: '', job: '' };
    await upload(stack, infected, (opened) => Object.assign(ids, opened));
    expect(await jobEnd(stack, ids.job)).toMatchObject({ status: 'failed', error_code: 'malware_found' });
    await waitUntilClean(stack, ids);
    await mustComplete(stack, await upload(stack, clip));
  });
});
