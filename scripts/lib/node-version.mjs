import { Refusal } from './say.mjs';

const NEEDED = [20, 19];

/** The same floor as "engines" in package.json. */
export function checkNode(version = process.versions.node) {
  const [major, minor] = version.split('.').map(Number);
  if (major > NEEDED[0] || (major === NEEDED[0] && minor >= NEEDED[1])) return;
  throw new Refusal(
    `Sluice needs Node ${NEEDED.join('.')} or later and this is ${version}; install a newer one from https://nodejs.org.`,
  );
}
