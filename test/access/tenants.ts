import { ApiKeys, UploadTokens } from '#access';
import type { Scope } from '#contracts';
import { type DataSource, openDataSource } from '#persistence';
import { type Stack, type StackOptions, startStack } from '#testing';

export const SECRET = 'a secret of the tests, long enough to be one';
const ALL_OF_A_TENANT: Scope[] = [
  ...(['uploads:write', 'jobs:read', 'jobs:write', 'media:read', 'webhooks:write', 'keys:write'] as const),
];

export interface Tenant {
  id: string;
  key: string;
  keyId: string;
}

export interface Deployment {
  stack: Stack;
  database: DataSource;
  keys: ApiKeys;
  tokens: UploadTokens;
  tenant(id: string, scopes?: Scope[]): Promise<Tenant>;
  stop(): Promise<void>;
}

/** Services that ask who comes, and a hand that gives out keys. */
export async function startDeployment(options: StackOptions = {}): Promise<Deployment> {
  const stack = await startStack({
    services: { transcode: 0, 'segment-upload': 0 },
    ...options,
    env: { AUTH_MODE: 'keys', INTERNAL_SECRET: SECRET, ...options.env },
  });
  const database = await openDataSource({ databaseUrl: stack.databaseUrl, poolSize: 2, name: 'test' });
  const keys = new ApiKeys(database);
  return {
    ...{ stack, database, keys, tokens: new UploadTokens(SECRET) },
    async tenant(id, scopes = ALL_OF_A_TENANT) {
      const { key, row } = await keys.create({ tenantId: id, name: `of ${id}`, scopes, expiresAt: null });
      return { id, key, keyId: row.id };
    },
    async stop() {
      await database.destroy();
      await stack.stop();
    },
  };
}

export const bearer = (credential: string): Record<string, string> => ({
  authorization: `Bearer ${credential}`,
});
