import { readdir, readlink } from 'node:fs/promises';

/** Paths of the files that a process has open. */
export async function openFiles(pid: number): Promise<string[]> {
  const descriptors = await readdir(`/proc/${pid}/fd`);
  return Promise.all(descriptors.map((one) => readlink(`/proc/${pid}/fd/${one}`).catch(() => '')));
}
