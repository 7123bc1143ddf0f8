/** `npm run sluice -- COMMAND …`: what an operator does beside `npm start` (libs/cli has the commands). */
import { ensureBuilt } from './lib/build.mjs';
import { ensureDependencies } from './lib/dependencies.mjs';
import { checkNode } from './lib/node-version.mjs';
import { homeDir } from './lib/paths.mjs';
import { runningEnvironment } from './lib/running.mjs';
import { main } from './lib/say.mjs';

await main(async () => {
  checkNode();
  await ensureDependencies();
  await ensureBuilt();
  const { runCommand } = await import('../dist/libs/cli/src/main.js');
  const status = await runCommand(process.argv.slice(2), await runningEnvironment(homeDir()));
  // Connections that somebody keeps open are no reason to stay.
  process.exit(status);
});
