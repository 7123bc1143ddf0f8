/** `npm start [-- [--exit] FILE…]`: from a fresh checkout to a running Sluice. */
import { HELP, parseArguments } from './lib/arguments.mjs';
import { ensureBuilt } from './lib/build.mjs';
import { ensureDependencies } from './lib/dependencies.mjs';
import { endLeftovers, forgetProcesses, rememberProcess } from './lib/leftovers.mjs';
import { takeLock } from './lib/lock.mjs';
import { checkNode } from './lib/node-version.mjs';
import { homeDir } from './lib/paths.mjs';
import { ensurePrograms } from './lib/programs.mjs';
import { main } from './lib/say.mjs';

await main(async () => {
  checkNode();
  const options = parseArguments(process.argv.slice(2));
  if (options.help) {
    console.log(HELP);
    return 0;
  }
  const home = homeDir();
  const letGo = takeLock(home);
  process.once('exit', letGo);
  await ensurePrograms(neededPrograms());
  await ensureDependencies();
  await ensureBuilt();
  await endLeftovers(home);
  const { launch } = await import('../dist/libs/launcher/src/index.js');
  const status = await launch({ ...options, home, onChild: (name, pid) => rememberProcess(home, name, pid) });
  forgetProcesses(home);
  letGo();
  // Connections that somebody keeps open are no reason to stay.
  process.exit(status);
});

function neededPrograms() {
  return [
    ...(process.env.REDIS_URL ? [] : ['redis']),
    ...(process.env.FFMPEG_PATH ? [] : ['ffmpeg']),
    ...(process.env.FFPROBE_PATH ? [] : ['ffprobe']),
  ];
}
