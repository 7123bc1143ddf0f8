import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';

/** What the global set-up leaves for test files; see vitest.config.ts. */
export function given(name: 'TEST_DATABASE_URL' | 'TEST_REDIS_URL' | 'TEST_DIR'): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set; run the tests with "npm test" or "npx vitest run".`);
  return value;
}

/** A new folder of its own, removed at the end of the run. */
export const testDir = (purpose: string): Promise<string> => mkdtemp(join(given('TEST_DIR'), `${purpose}-`));
