/** `npm run build`: everything into dist/, from packages that are installed (`npm start` and `npm test` see to that). */
import { ensureBuilt } from './lib/build.mjs';
import { main } from './lib/say.mjs';

await main(async () => {
  await ensureBuilt({ force: true });
  return 0;
});
