import { parseArgs } from 'node:util';
import { type ApiKeyRow, ApiKeys, type IssuedKey } from '#access';
import { ConfigError } from '#config';
import { DEFAULT_TENANT, SCOPES, type Scope, TENANT_ID } from '#contracts';
import { openDataSource } from '#persistence';
import type { Command } from './commands.js';

const OF_A_TENANT = SCOPES.filter((scope) => scope !== 'operator');

const HELP = `keys create --name NAME [--tenant ${DEFAULT_TENANT}] [--scopes ${OF_A_TENANT.join(',')}] [--days N]
keys list [--tenant TENANT]
keys rotate ID [--overlap-hours 24]
keys revoke ID

The scope operator reaches every tenant. A key is shown once, on stdout.
`;

const OPTIONS = {
  name: { type: 'string' },
  tenant: { type: 'string' },
  scopes: { type: 'string' },
  days: { type: 'string' },
  'overlap-hours': { type: 'string' },
} as const;

/** What somebody typed that means nothing. */
class UsageError extends Error {}

const HOUR_SECONDS = 3600;
const DAY_MS = 86_400_000;

/** `npm run sluice -- keys …`: for who runs the deployment; tenants' own programs use `/v1/keys`. */
export const keys: Command = async (args, environment) => {
  try {
    const { positionals, values } = parseArgs({ args, options: OPTIONS, allowPositionals: true });
    const work = workOf(positionals, values);
    if (!environment.DATABASE_URL) throw new ConfigError(['DATABASE_URL is not set']);
    // One connection holds the lock of migrations while another one runs them.
    const database = await openDataSource({
      databaseUrl: environment.DATABASE_URL,
      poolSize: 2,
      name: 'cli',
    });
    try {
      await work(new ApiKeys(database));
    } finally {
      await database.destroy();
    }
    return 0;
  } catch (error) {
    const isUsage =
      error instanceof UsageError || String((error as { code?: unknown }).code).startsWith('ERR_PARSE_ARGS');
    if (!isUsage) throw error;
    process.stderr.write(`${(error as Error).message}\n\n${HELP}`);
    return 2;
  }
};

type Values = { [K in keyof typeof OPTIONS]?: string };

function workOf([verb, id = '', ...more]: string[], values: Values): (keys: ApiKeys) => Promise<void> {
  if (more.length > 0) throw new UsageError('Too many words.');
  const tenantId = values.tenant ?? DEFAULT_TENANT;
  if (!TENANT_ID.test(tenantId)) throw new UsageError('A tenant has letters, digits, dots, - and _.');
  if (verb === 'list') {
    return async (rows) => {
      for (const row of await rows.list(values.tenant ?? null)) process.stdout.write(`${lineOf(row)}\n`);
    };
  }
  if (verb === 'create') {
    const { name } = values;
    if (!name) throw new UsageError('Give the key a name: who or what will use it.');
    const days = numberOf(values.days, 'days');
    const expiresAt = days === null ? null : new Date(Date.now() + days * DAY_MS);
    const scopes = scopesOf(values.scopes);
    return async (rows) => show(await rows.create({ tenantId, name, scopes, expiresAt }));
  }
  if (!/^[0-9a-f-]{36}$/.test(id)) throw new UsageError('Say which key, by its id: keys list tells them.');
  if (verb === 'rotate') {
    const hours = numberOf(values['overlap-hours'], 'overlap-hours') ?? 24;
    return async (rows) => show(await rows.rotate(null, id, hours * HOUR_SECONDS));
  }
  if (verb === 'revoke') {
    return async (rows) => void process.stdout.write(`${lineOf(await rows.revoke(null, id))}\n`);
  }
  throw new UsageError('Say what to do.');
}

function scopesOf(text: string | undefined): Scope[] {
  if (text === undefined) return OF_A_TENANT;
  const wanted = text.split(',').map((scope) => scope.trim());
  const unknown = wanted.find((scope) => !(SCOPES as readonly string[]).includes(scope));
  if (unknown === undefined) return wanted as Scope[];
  throw new UsageError(`There is no scope ${unknown}; there are ${SCOPES.join(', ')}.`);
}

function numberOf(text: string | undefined, name: string): number | null {
  if (text === undefined) return null;
  if (/^\d{1,5}$/.test(text)) return Number(text);
  throw new UsageError(`--${name} must be a whole number.`);
}

function show({ row, key }: IssuedKey): void {
  process.stderr.write(`${lineOf(row)}\nThe key is not shown again:\n`);
  process.stdout.write(`${key}\n`);
}

function lineOf({ id, tenantId, name, hint, scopes, expiresAt, revokedAt, lastUsedAt }: ApiKeyRow): string {
  const state = revokedAt
    ? `revoked ${revokedAt.toISOString()}`
    : expiresAt
      ? `until ${expiresAt.toISOString()}`
      : 'until revoked';
  const used = lastUsedAt ? `last used ${lastUsedAt.toISOString()}` : 'never used';
  return [id, `${hint}…`, tenantId, name, scopes.join(','), state, used].join('  ');
}
