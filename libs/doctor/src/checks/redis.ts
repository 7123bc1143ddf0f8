import { createRedis } from '#queue';
import { type Finding, failed, ok, reasonOf, warning } from '../finding.js';
import { clockFinding } from './clock.js';

/** BullMQ refuses to begin below the first and advises against what is below the second. */
const OLDEST = [5, 0];
const ADVISED = [6, 2];
/** Of `maxmemory`; queues need room when much is sent at once. */
const FULL = 0.8;

export async function checkRedis(url: string | undefined): Promise<Finding[]> {
  if (!url) return [failed('Redis', 'REDIS_URL is not set', 'Give the URL of a Redis, or run npm start.')];
  const redis = createRedis(url, 'producer', 'doctor');
  try {
    const info = fieldsOf(await redis.info());
    const before = Date.now();
    const [seconds = 0, micros = 0] = (await redis.time()).map(Number);
    const after = Date.now();
    return [
      versionFinding(info.redis_version ?? '0'),
      evictionFinding(info.maxmemory_policy ?? ''),
      memoryFinding(Number(info.used_memory ?? 0), Number(info.maxmemory ?? 0)),
      persistenceFinding(info.aof_enabled === '1'),
      clockFinding('Redis', seconds * 1000 + micros / 1000, before, after),
    ];
  } catch (error) {
    const where = new URL(url).host;
    return [
      failed(
        'Redis',
        `${where} does not answer: ${reasonOf(error)}`,
        'Start it, or correct REDIS_URL and its password.',
      ),
    ];
  } finally {
    redis.disconnect();
  }
}

const fieldsOf = (info: string): Record<string, string> =>
  Object.fromEntries(
    info.split('\r\n').flatMap((line) => (line.includes(':') ? [line.split(/:(.*)/s)] : [])),
  );

function versionFinding(version: string): Finding {
  if (isOlder(version, OLDEST))
    return failed(
      'Redis',
      `version ${version}`,
      `Install ${ADVISED.join('.')} or later: the queues do not work with this one.`,
    );
  if (isOlder(version, ADVISED))
    return warning(
      'Redis',
      `version ${version}`,
      `Install ${ADVISED.join('.')} or later, which the queues are made for.`,
    );
  return ok('Redis', `version ${version}`);
}

function isOlder(version: string, [major = 0, minor = 0]: number[]): boolean {
  const [ownMajor = 0, ownMinor = 0] = version.split('.').map(Number);
  return ownMajor < major || (ownMajor === major && ownMinor < minor);
}

function evictionFinding(policy: string): Finding {
  if (policy === 'noeviction') return ok('Redis', 'maxmemory-policy noeviction');
  return failed(
    'Redis',
    `maxmemory-policy ${policy}: queue entries may vanish`,
    'CONFIG SET maxmemory-policy noeviction, and the same in redis.conf.',
  );
}

function memoryFinding(used: number, most: number): Finding {
  const mib = (bytes: number) => `${Math.round(bytes / 1024 ** 2)} MiB`;
  if (most === 0) return ok('Redis', `${mib(used)} used, no maxmemory`);
  const says = `${mib(used)} of ${mib(most)} used`;
  return used < most * FULL
    ? ok('Redis', says)
    : warning('Redis', says, 'Raise maxmemory: when it is full nothing can be queued.');
}

function persistenceFinding(appendOnly: boolean): Finding {
  if (appendOnly) return ok('Redis', 'append-only file on');
  return warning(
    'Redis',
    'append-only file off: a restart empties the queues, which are filled again from rows',
    'CONFIG SET appendonly yes, and the same in redis.conf.',
  );
}
