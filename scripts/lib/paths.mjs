import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout. */
export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Where everything is kept that `npm start` makes: data, logs, secrets. SLUICE_HOME moves it. */
export const homeDir = () => resolve(ROOT, process.env.SLUICE_HOME || '.sluice');
