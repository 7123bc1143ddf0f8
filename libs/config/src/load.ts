import 'reflect-metadata';
import { plainToInstance } from 'class-transformer';
import { validateSync } from 'class-validator';
import { Environment } from './schema.js';

export class ConfigError extends Error {
  constructor(readonly problems: string[]) {
    super(`The configuration is not usable:\n${problems.map((p) => `  - ${p}`).join('\n')}`);
    this.name = 'ConfigError';
  }
}

/** Names that older systems gave to what stands in the schema; the new name wins. */
const OLDER_NAMES: Partial<Record<string, string>> = {
  WORKER_STREAMING_UPLOAD: 'VLOG_WORKER_STREAMING_UPLOAD',
};

/** Reads and checks everything at once; throws a ConfigError that names every problem. An empty value counts as not given. */
export function loadEnvironment(source: NodeJS.ProcessEnv = process.env): Environment {
  const given: Record<string, string> = {};
  for (const key of ENVIRONMENT_KEYS) {
    const value = source[key] || source[OLDER_NAMES[key] ?? key];
    if (value !== undefined && value !== '') given[key] = value;
  }
  const environment = plainToInstance(Environment, given, { exposeDefaultValues: true });
  const problems = validateSync(environment, { skipMissingProperties: false }).flatMap((error) =>
    error.value === undefined
      ? [`${error.property} is not set`]
      : Object.values(error.constraints ?? {}).map((c) =>
          c.includes(error.property) ? c : `${error.property}: ${c}`,
        ),
  );
  problems.push(...openToOthers(environment));
  if (problems.length > 0) throw new ConfigError(problems);
  return environment;
}

const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost']);

/** Only this machine reaches the service. */
export const isLoopback = ({ BIND_ADDRESS }: Pick<Environment, 'BIND_ADDRESS'>): boolean =>
  LOOPBACK.has(BIND_ADDRESS);

function openToOthers(environment: Environment): string[] {
  if (isLoopback(environment) || environment.AUTH_MODE !== 'open') return [];
  return [
    `AUTH_MODE=open serves everybody who reaches BIND_ADDRESS=${environment.BIND_ADDRESS}; set AUTH_MODE=keys, or listen on 127.0.0.1`,
  ];
}

export const ENVIRONMENT_KEYS: string[] = Object.keys(new Environment());

export const listOf = (value: string): string[] =>
  value
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');

/** Lower case, with their dot, also where the setting lacks it; what is denied is not in it, whatever the other list says. */
export function acceptedExtensions(
  environment: Pick<Environment, 'UPLOAD_ALLOWED_EXTENSIONS' | 'UPLOAD_DENIED_EXTENSIONS'>,
): string[] {
  const extensions = (value: string) =>
    listOf(value).map((part) => `.${part.toLowerCase().replace(/^[.]/, '')}`);
  const denied = new Set(extensions(environment.UPLOAD_DENIED_EXTENSIONS));
  return extensions(environment.UPLOAD_ALLOWED_EXTENSIONS).filter((extension) => !denied.has(extension));
}
