import { Deployment } from 'kubernetes-models/apps/v1/Deployment';
import { Ingress } from 'kubernetes-models/networking.k8s.io/v1/Ingress';
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy';
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1/PodDisruptionBudget';
import { ConfigMap } from 'kubernetes-models/v1/ConfigMap';
import { PersistentVolumeClaim } from 'kubernetes-models/v1/PersistentVolumeClaim';
import { Service } from 'kubernetes-models/v1/Service';
import type { Manifest } from './render.js';

interface Validated {
  validate(): void;
}
const MODELS: Record<string, new (data: never) => Validated> = {
  'v1/ConfigMap': ConfigMap,
  'v1/PersistentVolumeClaim': PersistentVolumeClaim,
  'v1/Service': Service,
  'apps/v1/Deployment': Deployment,
  'networking.k8s.io/v1/Ingress': Ingress,
  'networking.k8s.io/v1/NetworkPolicy': NetworkPolicy,
  'policy/v1/PodDisruptionBudget': PodDisruptionBudget,
};

/**
 * What Kubernetes' own schema says against a manifest, one sentence each. Its validators let unknown
 * fields pass, as an API server in its lenient mode drops them; a misspelt one is found by what they
 * never looked at.
 */
export function problemsOf(manifest: Manifest): string[] {
  const Model = MODELS[`${manifest.apiVersion}/${manifest.kind}`];
  if (!Model) return [`${manifest.apiVersion}/${manifest.kind} is not a kind that is checked here`];
  const unread = new Set<string>();
  try {
    const model = new Model(manifest as never);
    for (const [key, value] of Object.entries(manifest)) {
      Object.defineProperty(model, key, { value: watch(value, `/${key}`, unread), enumerable: true });
    }
    model.validate();
  } catch (error) {
    return [(error as Error).message];
  }
  return [...unread].map((path) => `${path} is not a field that Kubernetes knows`);
}

/** `value`, seen through a proxy that takes each path off `unread` when it is looked at. */
function watch(value: unknown, path: string, unread: Set<string>): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const children = new Map<string, unknown>();
  for (const [key, child] of Object.entries(value)) {
    const childPath = `${path}/${key}`;
    unread.add(childPath);
    children.set(key, watch(child, childPath, unread));
  }
  return new Proxy(value, {
    get(target, key) {
      unread.delete(`${path}/${String(key)}`);
      return children.get(String(key)) ?? Reflect.get(target, key);
    },
    ownKeys(target) {
      for (const key of Object.keys(target)) forget(`${path}/${key}`, unread);
      return Reflect.ownKeys(target);
    },
  });
}

function forget(path: string, unread: Set<string>): void {
  for (const other of unread) if (other === path || other.startsWith(`${path}/`)) unread.delete(other);
}
