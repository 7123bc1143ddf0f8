import { describe, expect, it } from 'vitest';
import { ConfigError, ENVIRONMENT_KEYS, Environment, loadEnvironment } from '#config';

const REQUIRED = {
  DATABASE_URL: 'postgres://user@localhost/sluice',
  REDIS_URL: 'redis://localhost',
  STORAGE_DIR: '/var/lib/sluice',
  INTERNAL_SECRET: 'x'.repeat(32),
};

function problemsOf(source: Record<string, string>): string[] {
  try {
    loadEnvironment(source);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    for (const problem of (error as ConfigError).problems)
      expect((error as Error).message).toContain(problem);
    return (error as ConfigError).problems;
  }
  return [];
}

describe('configuration', () => {
  it('needs four values and has a default for the rest', () => {
    const environment = loadEnvironment(REQUIRED);
    expect(environment).toMatchObject({ ...new Environment(), ...REQUIRED });
  });

  it('S0-18 reads the older name of a setting, too, and the new one wins', () => {
    const read = (source: Record<string, string>) =>
      loadEnvironment({ ...REQUIRED, ...source }).WORKER_STREAMING_UPLOAD;
    expect(read({})).toBe('true');
    expect(read({ VLOG_WORKER_STREAMING_UPLOAD: 'false' })).toBe('false');
    expect(read({ VLOG_WORKER_STREAMING_UPLOAD: 'false', WORKER_STREAMING_UPLOAD: 'true' })).toBe('true');
  });

  it('S3-04 has the limits that clients rely on', () => {
    expect(loadEnvironment(REQUIRED)).toMatchObject({
      UPLOAD_MAX_FILE_SIZE: 524_288_000,
      UPLOAD_MAX_CHUNK_SIZE: 10_485_760,
      UPLOAD_SESSION_TIMEOUT_HOURS: 24,
      ENABLE_DEDUPLICATION: 'true',
      DEFAULT_PROCESSING_PRIORITY: 5,
      PROCESSING_MAX_CONCURRENT_JOBS: 5,
      WEBSOCKET_ENABLED: 'true',
      WEBSOCKET_HEARTBEAT_INTERVAL: 30,
    });
  });

  it('S4-02 has the watchdog’s times', () => {
    expect(loadEnvironment(REQUIRED)).toMatchObject({
      FFMPEG_STALL_GRACE_SECONDS: 30,
      FFMPEG_STALL_SECONDS: 90,
    });
  });

  it('names every missing variable at once', () => {
    const problems = problemsOf({});
    expect(problems).toHaveLength(4);
    for (const key of Object.keys(REQUIRED)) expect(problems).toContain(`${key} is not set`);
  });

  it('takes an empty value for one that is not given', () => {
    expect(problemsOf({ ...REQUIRED, INTERNAL_SECRET: '' })).toEqual(['INTERNAL_SECRET is not set']);
    expect(loadEnvironment({ ...REQUIRED, GATEWAY_PORT: '' }).GATEWAY_PORT).toBe(4100);
  });

  it('names every wrong variable at once, beside those that are missing', () => {
    const problems = problemsOf({
      DATABASE_URL: 'mysql://localhost',
      REDIS_URL: 'localhost:6379',
      INTERNAL_SECRET: 'short',
      GATEWAY_PORT: '70000',
      SPAN_CONCURRENCY: 'two',
      LOG_LEVEL: 'loud',
      ENABLE_DEDUPLICATION: 'yes',
      STORAGE_DRIVER: 'floppy',
    });
    for (const key of [
      ...['DATABASE_URL', 'REDIS_URL', 'INTERNAL_SECRET', 'STORAGE_DIR', 'GATEWAY_PORT'],
      ...['SPAN_CONCURRENCY', 'LOG_LEVEL', 'ENABLE_DEDUPLICATION', 'STORAGE_DRIVER'],
    ]) {
      expect(
        problems.some((problem) => problem.includes(key)),
        `${key} in: ${problems.join('; ')}`,
      ).toBe(true);
    }
  });

  it('needs a bucket for S3 and no folder, and a key only with its secret', () => {
    const { STORAGE_DIR, ...rest } = REQUIRED;
    const s3 = { ...rest, STORAGE_DRIVER: 's3', S3_BUCKET: 'videos' };
    expect(STORAGE_DIR).not.toBe('');
    expect(loadEnvironment(s3)).toMatchObject({ S3_REGION: 'us-east-1', S3_FORCE_PATH_STYLE: 'true' });
    expect(problemsOf({ ...s3, S3_BUCKET: '' })).toEqual(['S3_BUCKET is not set']);
    expect(problemsOf({ ...s3, S3_ACCESS_KEY_ID: 'id' })).toEqual(['S3_SECRET_ACCESS_KEY is not set']);
    expect(problemsOf({ ...s3, S3_SECRET_ACCESS_KEY: 'secret' })).toEqual(['S3_ACCESS_KEY_ID is not set']);
    const wrong = {
      S3_ENDPOINT: 'store:9000',
      S3_BUCKET: 'a/b',
      S3_PREFIX: '../x',
      S3_FORCE_PATH_STYLE: 'no',
    };
    expect(problemsOf({ ...s3, ...wrong })).toHaveLength(4);
  });

  it('never repeats a secret in what it says', () => {
    expect(problemsOf({ ...REQUIRED, INTERNAL_SECRET: 'hunter2' }).join()).not.toContain('hunter2');
  });

  it('reads numbers as numbers', () => {
    const environment = loadEnvironment({ ...REQUIRED, SEGMENT_SECONDS: '2.5', GATEWAY_PORT: '0' });
    expect(environment.SEGMENT_SECONDS).toBe(2.5);
    expect(environment.GATEWAY_PORT).toBe(0);
  });

  it('knows its keys without an instance of them all', () => {
    expect(ENVIRONMENT_KEYS).toContain('SERVICE_VERSION');
    expect(ENVIRONMENT_KEYS).toContain('DATABASE_URL');
  });
});
