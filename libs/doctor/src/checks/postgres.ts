import type { Environment } from '#config';
import { DataSource, dataSourceOptions } from '#persistence';
import { type Finding, failed, ok, reasonOf, warning } from '../finding.js';
import { clockFinding } from './clock.js';

/** The oldest that its makers still mend. */
const OLDEST_MAJOR = 14;
const SERVICES = 4;

type Settings = Pick<Environment, 'DATABASE_URL' | 'DATABASE_POOL_SIZE' | 'AUTH_MODE'>;

export async function checkPostgres({
  DATABASE_URL,
  DATABASE_POOL_SIZE,
  AUTH_MODE,
}: Settings): Promise<Finding[]> {
  if (!DATABASE_URL)
    return [failed('Postgres', 'DATABASE_URL is not set', 'Give the URL of a database, or run npm start.')];
  const database = new DataSource(
    dataSourceOptions({ databaseUrl: DATABASE_URL, poolSize: 1, name: 'doctor' }),
  );
  try {
    await database.initialize();
    return [
      await versionFinding(database),
      await migrationsFinding(database),
      await connectionsFinding(database, Number(DATABASE_POOL_SIZE)),
      await durabilityFinding(database),
      await clock(database),
      ...(AUTH_MODE === 'keys' ? await keyFindings(database) : []),
    ];
  } catch (error) {
    const where = new URL(DATABASE_URL).host;
    return [
      failed(
        'Postgres',
        `${where}: ${reasonOf(error)}`,
        'Start it, or correct DATABASE_URL, its password and database.',
      ),
    ];
  } finally {
    if (database.isInitialized) await database.destroy();
  }
}

async function setting(database: DataSource, name: string): Promise<string> {
  const [row] = await database.query<{ value: string }[]>('SELECT current_setting($1) AS value', [name]);
  return row?.value ?? '';
}

async function versionFinding(database: DataSource): Promise<Finding> {
  const version = await setting(database, 'server_version');
  return Number.parseInt(version, 10) >= OLDEST_MAJOR
    ? ok('Postgres', `version ${version}`)
    : failed('Postgres', `version ${version}`, `Install ${OLDEST_MAJOR} or later; Sluice is tested with 18.`);
}

async function migrationsFinding(database: DataSource): Promise<Finding> {
  const ours = new Set(database.migrations.map((migration) => migration.name ?? migration.constructor.name));
  const [table] = await database.query<{ found: boolean }[]>(
    "SELECT to_regclass('migrations') IS NOT NULL AS found",
  );
  const rows = table?.found ? await database.query<{ name: string }[]>('SELECT name FROM migrations') : [];
  const done = new Set(rows.map(({ name }) => name));
  const pending = [...ours].filter((name) => !done.has(name));
  const unknown = [...done].filter((name) => !ours.has(name));
  if (unknown.length > 0) {
    return failed(
      'Postgres',
      `the database has ${unknown.length} migrations of a newer version`,
      'Run that version: this one does not know what its tables mean.',
    );
  }
  if (pending.length === 0) return ok('Postgres', `all ${ours.size} migrations are there`);
  return warning(
    'Postgres',
    `${pending.length} of ${ours.size} migrations are pending`,
    'Start any service: it makes them. The user of DATABASE_URL must own the tables.',
  );
}

async function connectionsFinding(database: DataSource, poolSize: number): Promise<Finding> {
  const most = Number(await setting(database, 'max_connections'));
  const needed = poolSize * SERVICES;
  const says = `max_connections ${most}; one process of each service may use ${needed}`;
  return needed < most
    ? ok('Postgres', says)
    : failed('Postgres', says, 'Lower DATABASE_POOL_SIZE, or raise max_connections.');
}

async function durabilityFinding(database: DataSource): Promise<Finding> {
  const off: string[] = [];
  for (const name of ['fsync', 'synchronous_commit'])
    if ((await setting(database, name)) === 'off') off.push(name);
  if (off.length === 0) return ok('Postgres', 'commits are durable');
  const says = `${off.join(' and ')} off: a power cut loses what was confirmed to clients`;
  return warning('Postgres', says, `ALTER SYSTEM SET ${off[0]} = on; SELECT pg_reload_conf();`);
}

async function clock(database: DataSource): Promise<Finding> {
  const before = Date.now();
  const [row] = await database.query<{ now: number }[]>(
    'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now',
  );
  return clockFinding('Postgres', row?.now ?? 0, before, Date.now());
}

/** Before the migrations there is no table, and no key either. */
async function keyFindings(database: DataSource): Promise<Finding[]> {
  const [table] = await database.query<{ found: boolean }[]>(
    "SELECT to_regclass('api_keys') IS NOT NULL AS found",
  );
  const [row] = table?.found
    ? await database.query<{ keys: number }[]>(
        `SELECT count(*)::integer AS keys FROM api_keys
         WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())`,
      )
    : [];
  if (row && row.keys > 0) return [ok('access', `${row.keys} API keys are in use`)];
  return [warning('access', 'there is no API key: nobody gets in', 'npm run sluice -- keys create …')];
}
