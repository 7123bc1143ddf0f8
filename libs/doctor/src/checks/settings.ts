import type { Environment } from '#config';
import { type Finding, failed, ok } from '../finding.js';

const MEND = '.env.example lists every setting; where "npm start" runs, doctor uses what that has chosen.';

export function checkSettings(environment: Environment, problems: string[]): Finding[] {
  if (problems.length > 0) return problems.map((problem) => failed('settings', problem, MEND));
  const store =
    environment.STORAGE_DRIVER === 's3' ? `bucket ${environment.S3_BUCKET}` : environment.STORAGE_DIR;
  return [ok('settings', `complete; objects are in ${store}`)];
}
