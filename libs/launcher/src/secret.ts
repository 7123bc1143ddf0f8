import { createHash, randomBytes } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const SECRET = /^[0-9a-f]{64}$/;

/** The secret of this home, made once: 64 hex digits in `secret`, which only its owner may read. */
export async function loadSecret(home: string): Promise<string> {
  const file = join(home, 'secret');
  const found = await readFile(file, 'utf8').catch(() => '');
  if (SECRET.test(found.trim())) return found.trim();
  const secret = randomBytes(32).toString('hex');
  await writeFile(`${file}.new`, `${secret}\n`, { mode: 0o600 });
  await rename(`${file}.new`, file);
  return secret;
}

/** A password that knows nothing of the secret it comes from. */
export const derive = (secret: string, purpose: string): string =>
  createHash('sha256').update(`${purpose}\0${secret}`).digest('hex');
