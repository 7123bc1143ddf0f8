import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { Refusal } from './say.mjs';

export const HELP = `Sluice: videos in, playing streams out.

  npm start                          start everything and print the address of the page
  npm start -- FILE…                 the same, upload these videos and show how far they are
  npm start -- --exit FILE…          end when they are done: status 0 all completed, 1 one failed

Data, logs and secrets are in .sluice/ (SLUICE_HOME). Parts of your own: DATABASE_URL, REDIS_URL,
STORAGE_DIR; ports: GATEWAY_PORT, UPLOAD_PORT, TRANSCODE_PORT, SEGMENT_UPLOAD_PORT. Every variable
is in .env.example. Ctrl-C stops everything; the data is there at the next start.`;

/**
 * What was asked for. Files are resolved against `cwd` (npm's INIT_CWD: where the person stands) and
 * must be there: that is said before anything is installed or started.
 */
export function parseArguments(args, cwd = process.env.INIT_CWD || process.cwd()) {
  const options = { help: false, exit: false, files: [] };
  let onlyFiles = false;
  for (const argument of args) {
    if (onlyFiles || !argument.startsWith('-')) options.files.push(resolve(cwd, argument));
    else if (argument === '--') onlyFiles = true;
    else if (argument === '--exit') options.exit = true;
    else if (argument === '--help' || argument === '-h') options.help = true;
    else throw new Refusal(`There is no option ${argument}; "npm start -- --help" lists them.`);
  }
  if (options.exit && options.files.length === 0) throw new Refusal('--exit needs at least one file.');
  for (const file of options.files) checkFile(file);
  return options;
}

function checkFile(file) {
  const found = statSync(file, { throwIfNoEntry: false });
  if (!found) throw new Refusal(`There is no file ${file}; check the path.`);
  if (!found.isFile()) throw new Refusal(`${file} is not a file; name the videos themselves.`);
}
