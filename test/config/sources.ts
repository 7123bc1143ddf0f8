import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

/** `KEY=value` lines of a file; what stands on the line before a key is its comment. */
export function readEnvFile(path: string): Map<string, { value: string; comment: string }> {
  const keys = new Map<string, { value: string; comment: string }>();
  let comment = '';
  for (const line of read(path).split('\n')) {
    const entry = /^([A-Z][A-Z0-9_]*)=(.*)$/.exec(line);
    if (entry) keys.set(entry[1]!, { value: entry[2]!, comment });
    comment = line.startsWith('# ') && !line.startsWith('# ---') ? line.slice(2) : '';
  }
  return keys;
}

export interface ComposeService {
  image: string;
  build?: { context: string; dockerfile: string };
  command?: string[];
  environment?: Record<string, string | number>;
  ports?: string[];
  volumes: string[];
  tmpfs?: string[];
  read_only?: boolean;
  cap_drop?: string[];
  cap_add?: string[];
  security_opt?: string[];
  stop_grace_period?: string;
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: { test: string[] };
}

export const readCompose = () =>
  parse(read('docker/compose.yaml'), { merge: true }) as {
    services: Record<string, ComposeService>;
    volumes: Record<string, unknown>;
  };

/** What a Compose value is when nothing is set outside: `${KEY:-default}` → `default`; null for `${KEY:?message}`. */
export function withoutOutside(value: string | number): string | null {
  const text = String(value);
  if (text.includes(':?')) return null;
  return text.replace(/\$\{[A-Z0-9_]+:-([^}]*)\}/g, '$1');
}
