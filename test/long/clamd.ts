import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import path from 'node:path';
import { promisify } from 'node:util';
import { waitFor } from '#testing';

const run = promisify(execFile);
const PACKAGES = ['clamav-daemon', 'libclamav12', 'clamav-base', 'libmspack0'];

/** The test file that every scanner knows; in hex, so that none of them finds it here. */
export const EICAR = Buffer.from(
  '58354f2150254041505b345c505a58353428505e2937434329377d24454943' +
    '41522d5354414e444152442d414e544956495255532d544553542d46494c452124482b482a',
  'hex',
);

export interface Clamd {
  socket: string;
  stop(): Promise<void>;
}

/** clamd from Debian's packages, unpacked and not installed, with one signature; null where there is no Debian to ask. */
export async function startClamd(folder: string, streamMaxLength: string): Promise<Clamd | null> {
  const root = path.join(folder, 'root');
  try {
    await mkdir(root, { recursive: true });
    await run('apt-get', ['download', ...PACKAGES], { cwd: folder });
    for (const name of await readdir(folder)) {
      if (name.endsWith('.deb')) await run('dpkg-deb', ['-x', name, root], { cwd: folder });
    }
  } catch {
    return null;
  }
  const signatures = path.join(folder, 'signatures');
  await mkdir(signatures);
  await writeFile(path.join(signatures, 'local.ndb'), `Eicar-Test-Signature:0:*:${EICAR.toString('hex')}\n`);
  const socket = path.join(folder, 'clamd.socket');
  const configuration = path.join(folder, 'clamd.conf');
  await writeFile(
    configuration,
    [
      'Foreground yes',
      `LocalSocket ${socket}`,
      `DatabaseDirectory ${signatures}`,
      `TemporaryDirectory ${folder}`,
      `StreamMaxLength ${streamMaxLength}`,
    ].join('\n'),
  );
  const libraries = (await readdir(path.join(root, 'usr/lib'))).map((name) =>
    path.join(root, 'usr/lib', name),
  );
  const child = spawn(path.join(root, 'usr/sbin/clamd'), ['-c', configuration], {
    env: { ...process.env, LD_LIBRARY_PATH: libraries.join(':') },
    stdio: 'ignore',
  });
  await waitFor(async () => existsSync(socket) && (await answers(socket)), {
    what: 'clamd to answer',
    timeoutMs: 30_000,
  });
  return { socket, stop: () => end(child) };
}

const answers = (socket: string) =>
  new Promise<boolean>((resolve) => {
    const connection = connect(socket);
    connection.on('connect', () => resolve(true)).on('error', () => resolve(false));
    connection.on('connect', () => connection.destroy());
  });

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
}
