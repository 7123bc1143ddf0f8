/** `npm run build`: packages if they are missing, then everything into dist/. */
import { ensureBuilt } from './lib/build.mjs';
import { ensureDependencies } from './lib/dependencies.mjs';
import { checkNode } from './lib/node-version.mjs';
import { main } from './lib/say.mjs';

await main(async () => {
  checkNode();
  await ensureDependencies();
  await ensureBuilt({ force: true });
  return 0;
});
