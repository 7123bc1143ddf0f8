import { mkdir, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Environment } from '#config';
import { type Finding, failed, ok, reasonOf, warning } from '../finding.js';

const GIB = 1024 ** 3;
/** Chunks of a few uploads; segments of a few runs that wait for the store. */
const LITTLE_BYTES = 2 * GIB;
const NOTHING_BYTES = GIB / 4;
const LITTLE_SHARE = 0.05;

export async function checkDisk({
  STORAGE_DRIVER,
  STORAGE_DIR,
  SCRATCH_DIR,
}: Environment): Promise<Finding[]> {
  const findings = [await roomFinding('SCRATCH_DIR', SCRATCH_DIR)];
  if (STORAGE_DRIVER !== 's3' && STORAGE_DIR) findings.push(await roomFinding('STORAGE_DIR', STORAGE_DIR));
  return findings;
}

async function roomFinding(key: string, dir: string): Promise<Finding> {
  const trial = join(dir, `.doctor-${process.pid}`);
  try {
    await mkdir(dir, { recursive: true });
    await writeFile(trial, 'x');
    const { bavail, blocks, bsize, files, ffree } = await statfs(dir);
    const free = bavail * bsize;
    const says = `${key} ${dir}: ${(free / GIB).toFixed(1)} GiB of ${((blocks * bsize) / GIB).toFixed(1)} free`;
    const mend = 'Make room, or move it to another disk.';
    if (free < NOTHING_BYTES) return failed('disk', says, mend);
    if (files > 0 && ffree / files < LITTLE_SHARE / 5)
      return warning('disk', `${key} ${dir}: hardly any inodes free`, mend);
    return free < LITTLE_BYTES || free < blocks * bsize * LITTLE_SHARE
      ? warning('disk', says, mend)
      : ok('disk', says);
  } catch (error) {
    const mend = 'Make the folder, and give it to the user that the services run as.';
    return failed('disk', `${key} ${dir} cannot be written: ${reasonOf(error)}`, mend);
  } finally {
    await rm(trial, { force: true }).catch(() => undefined);
  }
}
