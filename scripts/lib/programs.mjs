import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { run } from './run.mjs';
import { Refusal, say } from './say.mjs';

/** What we run that npm cannot bring: one of `names` is enough; the package that has it, by package manager. */
export const PROGRAMS = {
  redis: {
    names: ['redis-server'],
    packages: { apt: 'redis-server', brew: 'redis', dnf: 'redis', pacman: 'redis', apk: 'redis' },
  },
  ffmpeg: {
    names: ['ffmpeg'],
    packages: { apt: 'ffmpeg', brew: 'ffmpeg', dnf: 'ffmpeg', pacman: 'ffmpeg', apk: 'ffmpeg' },
  },
  ffprobe: {
    names: ['ffprobe'],
    packages: { apt: 'ffmpeg', brew: 'ffmpeg', dnf: 'ffmpeg', pacman: 'ffmpeg', apk: 'ffmpeg' },
  },
  chromium: {
    names: ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'],
    packages: {
      apt: 'chromium',
      brew: '--cask chromium',
      dnf: 'chromium',
      pacman: 'chromium',
      apk: 'chromium',
    },
  },
  ps: {
    names: ['ps'],
    packages: { apt: 'procps', brew: 'procps', dnf: 'procps-ng', pacman: 'procps-ng', apk: 'procps' },
  },
};

const COMMANDS = {
  apt: (packages) => `apt-get update && apt-get install -y --no-install-recommends ${packages}`,
  dnf: (packages) => `dnf install -y ${packages}`,
  pacman: (packages) => `pacman -S --needed ${packages}`,
  apk: (packages) => `apk add ${packages}`,
};
const TOOLS = { apt: 'apt-get', brew: 'brew', dnf: 'dnf', pacman: 'pacman', apk: 'apk' };

/** Path of the first of these that can be run, or null. */
export function findProgram(names, path = process.env.PATH ?? '') {
  for (const name of names) {
    for (const dir of path.split(delimiter).filter(Boolean)) {
      const file = join(dir, name);
      try {
        accessSync(file, constants.X_OK);
        return file;
      } catch {}
    }
  }
  return null;
}

/** Finds the programs (keys of PROGRAMS), installs those that are missing where that needs no password, else says how. */
export async function ensurePrograms(wanted) {
  const missing = wanted.filter((key) => !findProgram(PROGRAMS[key].names));
  if (missing.length === 0) return;
  const manager = Object.keys(TOOLS).find((key) => findProgram([TOOLS[key]]));
  const names = missing.map((key) => PROGRAMS[key].names[0]).join(', ');
  if (!manager)
    throw new Refusal(`Missing: ${names}. Install them, so that they are found on PATH, and start again.`);
  const packages = [...new Set(missing.map((key) => PROGRAMS[key].packages[manager]))];
  if (manager === 'brew') await withBrew(packages);
  else if (manager === 'apt' && (await isPrivileged())) await withApt(packages);
  else {
    const command = COMMANDS[manager](packages.join(' '));
    throw new Refusal(`Missing: ${names}. Install with\n\n    ${asRoot(command)}\n\nand start again.`);
  }
  const still = missing.filter((key) => !findProgram(PROGRAMS[key].names));
  if (still.length > 0)
    throw new Refusal(`Installed ${packages.join(' ')}, but ${still.join(', ')} is still not on PATH.`);
}

const isRoot = () => process.getuid?.() === 0;
const asRoot = (command) => (isRoot() ? command : `sudo sh -c '${command}'`);

/** Root, or sudo without a password. */
async function isPrivileged() {
  if (isRoot()) return true;
  return findProgram(['sudo']) !== null && (await run('sudo', ['-n', 'true'], { quiet: true })).status === 0;
}

async function withApt(packages) {
  say(`Installing ${packages.join(', ')} with apt-get …`);
  const prefix = isRoot() ? [] : ['sudo', '-n'];
  const apt = [
    ...prefix,
    'env',
    'DEBIAN_FRONTEND=noninteractive',
    'apt-get',
    '-q',
    '-o',
    'DPkg::Lock::Timeout=120',
  ];
  const install = ['install', '-y', '--no-install-recommends', ...packages];
  for (const args of [['update'], install]) {
    const { status, output } = await run(apt[0], [...apt.slice(1), ...args], { quiet: true });
    // Lists that are old may still do; what cannot be installed is what counts.
    if (status !== 0 && args === install) {
      throw new Refusal(
        `${output}\n\nThe packages could not be installed; try it yourself:\n\n    ${asRoot(COMMANDS.apt(packages.join(' ')))}`,
      );
    }
  }
}

async function withBrew(packages) {
  for (const name of packages) {
    say(`Installing ${name} with Homebrew …`);
    const { status, output } = await run('brew', ['install', ...name.split(' ')], { quiet: true });
    if (status !== 0) throw new Refusal(`${output}\n\nTry it yourself:\n\n    brew install ${name}`);
  }
}
