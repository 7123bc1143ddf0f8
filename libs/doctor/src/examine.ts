import { ConfigError, Environment, loadEnvironment } from '#config';
import { checkAccess } from './checks/access.js';
import { checkDisk } from './checks/disk.js';
import { checkFfmpeg } from './checks/ffmpeg.js';
import { checkPostgres } from './checks/postgres.js';
import { checkRedis } from './checks/redis.js';
import { checkScanner } from './checks/scanner.js';
import { checkSettings } from './checks/settings.js';
import { checkStore } from './checks/store.js';
import { type Finding, failed, reasonOf } from './finding.js';

/** A part that does not answer in this time is as good as away. */
const PATIENCE_MS = 30_000;

/** Looks at everything at once; no finding depends on another part being well. In the order of the table below. */
export async function examine(source: NodeJS.ProcessEnv): Promise<Finding[]> {
  const { environment, problems } = readSettings(source);
  const parts: [name: string, look: () => Promise<Finding[]>][] = [
    ['settings', async () => checkSettings(environment, problems)],
    ['access', async () => checkAccess(environment)],
    ['ffmpeg', () => checkFfmpeg(environment)],
    ['Redis', () => checkRedis(environment.REDIS_URL)],
    ['Postgres', () => checkPostgres(environment)],
    ['store', () => checkStore(environment)],
    ['scanner', () => checkScanner(environment)],
    ['disk', () => checkDisk(environment)],
  ];
  const findings = await Promise.all(parts.map(([name, look]) => inTime(name, look)));
  return findings.flat();
}

async function inTime(part: string, look: () => Promise<Finding[]>): Promise<Finding[]> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Finding[]>((resolve) => {
    const says = `gave no answer in ${PATIENCE_MS / 1000} s`;
    timer = setTimeout(
      () => resolve([failed(part, says, 'See whether it hangs, or lacks a processor.')]),
      PATIENCE_MS,
    );
  });
  try {
    return await Promise.race([look(), late]);
  } catch (error) {
    return [failed(part, reasonOf(error), 'This check itself failed; its message is all there is.')];
  } finally {
    clearTimeout(timer);
  }
}

/** Where the settings are wrong the rest is looked at all the same, as far as it is named. */
function readSettings(source: NodeJS.ProcessEnv): { environment: Environment; problems: string[] } {
  try {
    return { environment: loadEnvironment(source), problems: [] };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const given = Object.entries(source).filter(([key, value]) => key in new Environment() && value !== '');
    return {
      environment: Object.assign(new Environment(), Object.fromEntries(given)),
      problems: error.problems,
    };
  }
}
