import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DirectoryStore, openStore } from '#storage';
import { storeContract } from './contract.js';

const temporaryFiles = async (root: string) => {
  const names = await readdir(join(root, '.tmp')).catch(() => []);
  return names.length;
};

storeContract('directory', async () => {
  const root = await mkdtemp(join(tmpdir(), 'sluice-store-'));
  return {
    store: new DirectoryStore(root),
    unfinished: () => temporaryFiles(root),
    close: () => rm(root, { recursive: true, force: true }),
  };
});

describe('directory store', () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'sluice-store-'));
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  it('S3-13 sweeps the temporary files of killed processes once they are old, and only those', async () => {
    const store = await openStore({ STORAGE_DRIVER: 'directory', STORAGE_DIR: root });
    await mkdir(join(root, '.tmp'));
    await writeFile(join(root, '.tmp', 'old'), 'x');
    await writeFile(join(root, '.tmp', 'new'), 'x');
    await utimes(join(root, '.tmp', 'old'), new Date(0), new Date(0));
    expect(await store.sweepUnfinished(new Date(Date.now() - 3_600_000))).toBe(1);
    expect(await readdir(join(root, '.tmp'))).toEqual(['new']);
  });

  it('a disk without room answers storage_full and leaves nothing', async () => {
    // A file size limit of 4 KiB stands for the full disk: write(2) takes a part, then fails with EFBIG.
    const script = `
      const { DirectoryStore } = await import('#storage');
      await new DirectoryStore(process.argv[1]).put('a/x', Buffer.alloc(100_000)).catch((e) => console.log(e.code));`;
    const run = promisify(execFile);
    const limited = 'ulimit -f 8; exec "$0" --input-type=module -e "$1" "$2"';
    const { stdout } = await run('sh', ['-c', limited, process.execPath, script, root]);
    expect(stdout.trim()).toBe('storage_full');
    expect(await temporaryFiles(root)).toBe(0);
  });

  it('gives back the memory of what was handed over as soon as it is written', async () => {
    const whole = Buffer.from(new ArrayBuffer(65_536));
    const slice = Buffer.from(new ArrayBuffer(65_536)).subarray(1);
    const body = Readable.from([whole, slice], { objectMode: false });
    await new DirectoryStore(root).put('a/x', body, { handedOver: true });
    expect([whole.length, slice.length]).toEqual([0, 65_535]);
  });

  it('a folder that cannot be written to fails its check', async () => {
    await writeFile(join(root, 'file'), 'in the way');
    await expect(new DirectoryStore(join(root, 'file')).check()).rejects.toMatchObject({
      code: 'unavailable',
    });
  });
});
