import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse, parseAllDocuments } from 'yaml';
import { readEnvFile } from '../config/sources.js';

export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string> };
  spec?: Record<string, unknown>;
  data?: Record<string, string>;
}

interface Kustomization {
  resources: string[];
  patches: { path: string; target: { kind: string } }[];
  configMapGenerator: { name: string; envs: string[] }[];
  images: { name: string; newTag: string }[];
  labels: { pairs: Record<string, string> }[];
}

const BASE = '../../k8s/base/';
const textOf = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8');

/**
 * k8s/base as kustomize renders it, for machines without kubectl: resources, the one patch, the
 * generated ConfigMap, image tag and labels. Where kubectl is at hand a test compares the two.
 */
export function renderBase(): Manifest[] {
  const kustomization = parse(textOf(`${BASE}kustomization.yaml`)) as Kustomization;
  const patches = kustomization.patches.map(({ path, target }) => ({
    kind: target.kind,
    spec: (parse(textOf(`${BASE}${path}`)) as Manifest).spec,
  }));
  const image = kustomization.images[0]!;
  const labels = kustomization.labels[0]!.pairs;
  const manifests = kustomization.resources
    .flatMap((path) =>
      parseAllDocuments(textOf(`${BASE}${path}`)).map((document) => document.toJS() as Manifest),
    )
    .map((manifest) => {
      const patch = patches.find(({ kind }) => kind === manifest.kind);
      return patch ? { ...manifest, spec: merge(manifest.spec, patch.spec) as Manifest['spec'] } : manifest;
    });
  const configMaps = kustomization.configMapGenerator.map(({ name, envs }) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name },
    data: Object.fromEntries(
      envs.flatMap((path) => [...readEnvFile(`k8s/base/${path}`)].map(([key, { value }]) => [key, value])),
    ),
  }));
  return [...manifests, ...configMaps].map((manifest) => finish(manifest, image, labels));
}

function finish(
  manifest: Manifest,
  image: { name: string; newTag: string },
  labels: Record<string, string>,
): Manifest {
  manifest.metadata.labels = { ...manifest.metadata.labels, ...labels };
  const template = (manifest.spec as { template?: PodTemplate } | undefined)?.template;
  if (template) {
    template.metadata.labels = { ...template.metadata.labels, ...labels };
    for (const container of template.spec.containers) {
      if (container.image === image.name) container.image = `${image.name}:${image.newTag}`;
    }
  }
  return manifest;
}

/** A strategic merge as far as the base needs one: lists of things with a name merge by it, the rest is replaced. */
function merge(value: unknown, patch: unknown): unknown {
  if (Array.isArray(value) && Array.isArray(patch) && patch.every(isNamed)) {
    const rest = patch.filter((item) => !value.some((other) => isNamed(other) && other.name === item.name));
    const merged = value.map((item) => {
      const change = patch.find((other) => isNamed(item) && other.name === item.name);
      return change ? merge(item, change) : item;
    });
    return [...merged, ...rest];
  }
  if (!isObject(value) || !isObject(patch)) return patch;
  const merged = { ...value };
  for (const [key, change] of Object.entries(patch))
    merged[key] = key in value ? merge(value[key], change) : change;
  return merged;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isNamed = (value: unknown): value is { name: string } =>
  isObject(value) && typeof value.name === 'string';

export const hasKubectl = spawnSync('kubectl', ['kustomize', '--help'], { stdio: 'ignore' }).status === 0;

/** What `kubectl kustomize` makes of a folder; it needs neither cluster nor network. */
export function kubectlRender(folder: string): Manifest[] {
  const path = fileURLToPath(new URL(`../../${folder}`, import.meta.url));
  const { status, stdout, stderr } = spawnSync('kubectl', ['kustomize', path], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`kubectl kustomize ${folder}: ${stderr}`);
  return parseAllDocuments(stdout).map((document) => document.toJS() as Manifest);
}

export interface PodTemplate {
  metadata: { labels: Record<string, string>; annotations: Record<string, string> };
  spec: {
    automountServiceAccountToken: boolean;
    terminationGracePeriodSeconds: number;
    securityContext: Record<string, unknown>;
    containers: Container[];
    volumes: { name: string }[];
  };
}

interface Probe {
  httpGet: { path: string; port: string };
}

export interface Container {
  name: string;
  image: string;
  args: string[];
  env: { name: string; valueFrom: { fieldRef?: { fieldPath: string }; secretKeyRef?: { name: string } } }[];
  ports: { name: string; containerPort: number }[];
  securityContext: Record<string, unknown>;
  resources: Record<'requests' | 'limits', { cpu: string; memory: string }>;
  startupProbe: Probe;
  readinessProbe: Probe;
  livenessProbe: Probe;
  lifecycle: { preStop: { exec: { command: string[] } } };
  volumeMounts: { name: string; mountPath: string; readOnly?: boolean }[];
}
