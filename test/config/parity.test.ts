import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { ENVIRONMENT_KEYS, Environment } from '#config';
import { readCompose, readEnvFile, withoutOutside } from './sources.js';

const SERVICES = ['upload', 'transcode', 'segment-upload', 'gateway'];
const KEYS = [...ENVIRONMENT_KEYS].sort();

/** The schema's default as it stands in a file; empty where there is none. */
const defaults = new Environment() as unknown as Record<string, string | number | undefined>;
const defaultOf = (key: string) => String(defaults[key] ?? '');

/** A container listens beyond loopback, so that it asks who comes, keeps its objects on a volume, and is called by other names. */
const OF_A_CONTAINER = ['BIND_ADDRESS', 'AUTH_MODE', 'STORAGE_DIR', 'SCRATCH_DIR'];
const OF_A_SITE = [
  'ADVERTISED_HOST',
  'ALLOWED_HOSTS',
  'ALLOWED_ORIGINS',
  'PUBLIC_UPLOAD_URL',
  'PUBLIC_GATEWAY_URL',
];

describe('the schema, .env.example, Compose and Kubernetes name the same settings', () => {
  const example = readEnvFile('.env.example');

  it('.env.example has every key of the schema and no other', () => {
    expect([...example.keys()].sort()).toEqual(KEYS);
  });

  it.each(KEYS)('.env.example tells the default of %s and what it is', (key) => {
    const { value, comment } = example.get(key)!;
    expect(value).toBe(defaultOf(key));
    expect(comment).not.toBe('');
  });

  it('.env.example says which settings must be given, and gives none of them', () => {
    for (const key of ['DATABASE_URL', 'REDIS_URL', 'STORAGE_DIR', 'INTERNAL_SECRET', 'S3_BUCKET']) {
      expect(example.get(key)).toMatchObject({ value: '', comment: expect.stringMatching(/^Required\b/) });
    }
  });

  const compose = readCompose();

  it.each(SERVICES)('Compose gives %s every key of the schema and no other', (service) => {
    expect(Object.keys(compose.services[service]!.environment!).sort()).toEqual(KEYS);
  });

  it('Compose has the schema’s defaults where the containers need nothing else', () => {
    const environment = compose.services.upload!.environment!;
    for (const key of KEYS) {
      if ([...OF_A_CONTAINER, ...OF_A_SITE, 'DATABASE_URL', 'REDIS_URL', 'INTERNAL_SECRET'].includes(key))
        continue;
      expect(withoutOutside(environment[key]!), key).toBe(defaultOf(key));
    }
  });

  it('Compose demands the secret and the password and has a default for neither', () => {
    const { INTERNAL_SECRET, DATABASE_URL } = compose.services.upload!.environment!;
    expect(INTERNAL_SECRET).toMatch(/^\$\{INTERNAL_SECRET:\?.+\}$/);
    expect(DATABASE_URL).toContain('${POSTGRES_PASSWORD:?');
  });

  const configMap = readEnvFile('k8s/base/environment.env');
  const [deployment] = parseAllDocuments(
    readFileSync(new URL('../../k8s/base/every-service.patch.yaml', import.meta.url), 'utf8'),
  ).map((document) => document.toJS());
  const ownKeys: { name: string; valueFrom: { secretKeyRef?: { key: string } } }[] =
    deployment.spec.template.spec.containers[0].env;

  it('Kubernetes gives every service every key of the schema and no other, each once', () => {
    expect([...configMap.keys(), ...ownKeys.map(({ name }) => name)].sort()).toEqual(KEYS);
  });

  it('Kubernetes has the schema’s defaults where the pods need nothing else', () => {
    for (const [key, { value }] of configMap) {
      if (!OF_A_CONTAINER.includes(key)) expect(value, key).toBe(defaultOf(key));
    }
  });

  it('Kubernetes takes what is secret from a Secret, and no secret stands in a file', () => {
    const secret = ownKeys.filter(({ valueFrom }) => valueFrom.secretKeyRef);
    expect(secret.map(({ name }) => name).sort()).toEqual([
      ...['ADMIN_PASSWORD', 'ADMIN_VIEWER_PASSWORD', 'DATABASE_URL', 'INTERNAL_SECRET'],
      ...['OTEL_EXPORTER_OTLP_HEADERS', 'REDIS_URL'],
      ...['S3_ACCESS_KEY_ID', 'S3_SECRET_ACCESS_KEY'],
    ]);
    for (const { name, valueFrom } of secret) expect(valueFrom.secretKeyRef!.key).toBe(name);
  });
});
