import { describe, expect, it } from 'vitest';
import { SERVICES } from '#contracts';
import {
  type Container,
  hasKubectl,
  kubectlRender,
  type Manifest,
  type PodTemplate,
  renderBase,
} from './render.js';
import { problemsOf } from './schema.js';

const base = renderBase();
const ofKind = (manifests: Manifest[], kind: string) =>
  manifests.filter((manifest) => manifest.kind === kind);
const named = (manifests: Manifest[], kind: string, name: string) => {
  const found = ofKind(manifests, kind).find((manifest) => manifest.metadata.name === name);
  if (!found) throw new Error(`there is no ${kind} ${name}`);
  return found;
};
const podOf = (deployment: Manifest) => (deployment.spec as { template: PodTemplate }).template;
const containerOf = (deployment: Manifest): Container => podOf(deployment).spec.containers[0]!;
const settings = ofKind(base, 'ConfigMap')[0]!.data!;

describe('the Kubernetes base', () => {
  it.each(base.map((manifest) => [manifest.kind, manifest.metadata.name, manifest] as const))(
    '%s %s is what the schema of Kubernetes allows',
    (_kind, _name, manifest) => {
      expect(problemsOf(manifest)).toEqual([]);
    },
  );

  it('would not get past that check with a misspelt field or a wrong type', () => {
    const wrong = structuredClone(named(base, 'Deployment', 'sluice-upload'));
    Object.assign(podOf(wrong).spec.securityContext, { runAsNonRot: true });
    expect(problemsOf(wrong)).toEqual([
      '/spec/template/spec/securityContext/runAsNonRot is not a field that Kubernetes knows',
    ]);
    Object.assign(wrong.spec!, { replicas: 'two' });
    expect(problemsOf(wrong).join()).toContain('/spec/replicas must be integer');
  });

  describe.each(SERVICES)('%s', (service) => {
    const deployment = named(base, 'Deployment', `sluice-${service}`);
    const pod = podOf(deployment);
    const container = containerOf(deployment);
    const port = Number(settings[`${service.toUpperCase().replaceAll('-', '_')}_PORT`]);

    it('runs this service of the image, at the port that it is configured to', () => {
      expect(pod.spec.containers).toHaveLength(1);
      expect(container.args).toEqual([service]);
      expect(container.ports).toEqual([{ name: 'http', containerPort: port }]);
      expect(container.image).toMatch(/^sluice:\d/);
    });

    it('has a Service and a disruption budget that select its pods and no others', () => {
      const labels = { 'app.kubernetes.io/name': 'sluice', 'app.kubernetes.io/component': service };
      expect(named(base, 'Service', `sluice-${service}`).spec).toEqual({
        selector: labels,
        ports: [{ name: 'http', port, targetPort: 'http' }],
      });
      expect(named(base, 'PodDisruptionBudget', `sluice-${service}`).spec).toEqual({
        maxUnavailable: 1,
        selector: { matchLabels: labels },
      });
      expect(deployment.spec).toMatchObject({ selector: { matchLabels: labels } });
      expect(pod.metadata.labels).toMatchObject(labels);
    });

    it('S1-09 is probed at its health; only a process that does not answer is restarted', () => {
      expect(container.startupProbe.httpGet).toEqual({ path: '/health', port: 'http' });
      expect(container.readinessProbe.httpGet).toEqual({ path: '/health', port: 'http' });
      expect(container.livenessProbe.httpGet).toEqual({ path: '/health/live', port: 'http' });
    });

    it('S3-14 is found by Prometheus', () => {
      expect(pod.metadata.annotations).toEqual({
        'prometheus.io/scrape': 'true',
        'prometheus.io/path': '/metrics',
        'prometheus.io/port': String(port),
      });
    });

    it('runs as nobody special and cannot become more', () => {
      expect(pod.spec.automountServiceAccountToken).toBe(false);
      expect(pod.spec.securityContext).toMatchObject({
        runAsNonRoot: true,
        runAsUser: 1000,
        seccompProfile: { type: 'RuntimeDefault' },
      });
      expect(container.securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
    });

    it('can write where it must, though its root is read-only', () => {
      const mounts = Object.fromEntries(container.volumeMounts.map((mount) => [mount.mountPath, mount]));
      expect(mounts[settings.STORAGE_DIR!]).toMatchObject({ name: 'storage' });
      expect(mounts['/tmp']).toBeDefined();
      if (service === 'transcode') expect(mounts[settings.SCRATCH_DIR!]).toBeDefined();
      const volumes = new Set(pod.spec.volumes.map(({ name }) => name));
      for (const { name } of container.volumeMounts) expect(volumes).toContain(name);
    });

    it('S1-10 has the time to finish what is in flight', () => {
      const [, preStop] = container.lifecycle.preStop.exec.command;
      // The five seconds are those that libs/http waits on top before the process ends itself.
      const needed = Number(preStop) + Number(settings.SHUTDOWN_GRACE_SECONDS) + 5;
      expect(pod.spec.terminationGracePeriodSeconds).toBeGreaterThan(needed);
    });

    it('is reached by the others at its own pod’s address', () => {
      expect(container.env.find(({ name }) => name === 'ADVERTISED_HOST')?.valueFrom).toEqual({
        fieldRef: { fieldPath: 'status.podIP' },
      });
    });

    it('says what it needs and what it may take', () => {
      for (const kind of ['requests', 'limits'] as const) {
        expect(container.resources[kind]).toEqual({ cpu: expect.any(String), memory: expect.any(String) });
      }
    });
  });

  it('keeps objects where all services can reach them', () => {
    expect(named(base, 'PersistentVolumeClaim', 'sluice-storage').spec).toMatchObject({
      accessModes: ['ReadWriteMany'],
    });
  });

  it('holds no Secret', () => {
    expect(ofKind(base, 'Secret')).toEqual([]);
  });

  it('lets nobody but segment-upload call a worker', () => {
    expect(named(base, 'NetworkPolicy', 'sluice').spec).toMatchObject({
      policyTypes: ['Ingress', 'Egress'],
      ingress: [],
    });
    const { ingress } = named(base, 'NetworkPolicy', 'sluice-transcode-in').spec as {
      ingress: {
        from: { podSelector: { matchLabels: Record<string, string> } }[];
        ports: { port: number }[];
      }[];
    };
    expect(ingress).toHaveLength(1);
    expect(ingress[0]!.from[0]!.podSelector.matchLabels['app.kubernetes.io/component']).toBe(
      'segment-upload',
    );
    expect(ingress[0]!.ports).toEqual([{ port: Number(settings.TRANSCODE_PORT), protocol: 'TCP' }]);
  });
});

describe.skipIf(!hasKubectl)('kubectl kustomize (skipped where there is no kubectl)', () => {
  it('renders the base as the checks above see it', () => {
    const rendered = kubectlRender('k8s/base');
    const strip = (manifests: Manifest[]) =>
      Object.fromEntries(
        manifests.map((manifest) => {
          // The generated name carries a digest of the content.
          const text = JSON.stringify(manifest).replace(
            /sluice-environment-[a-z0-9]{10}/g,
            'sluice-environment',
          );
          const plain = JSON.parse(text) as Manifest;
          return [`${plain.kind}/${plain.metadata.name}`, sorted(plain)];
        }),
      );
    expect(strip(rendered)).toEqual(strip(base));
  });

  const overlay = hasKubectl ? kubectlRender('k8s/overlays/example') : [];

  it.each(overlay.map((manifest) => [manifest.kind, manifest.metadata.name, manifest] as const))(
    'renders %s %s of the example as the schema allows',
    (_kind, _name, manifest) => {
      expect(problemsOf(manifest)).toEqual([]);
      expect(manifest.metadata.namespace).toBe('sluice');
    },
  );

  it('lets a site give the names that browsers use', () => {
    expect(ofKind(overlay, 'ConfigMap')[0]!.data).toMatchObject({
      ALLOWED_HOSTS: 'video.example.com',
      PUBLIC_UPLOAD_URL: 'https://video.example.com',
      TRUST_PROXY: 'true',
      UPLOAD_MAX_FILE_SIZE: settings.UPLOAD_MAX_FILE_SIZE,
    });
  });

  it('leads uploads to upload and the rest to the gateway, and neither the operators’ board nor internal addresses out', () => {
    const { rules } = ofKind(overlay, 'Ingress')[0]!.spec as {
      rules: {
        http: { paths: { path: string; pathType: string; backend: { service: { name: string } } }[] };
      }[];
    };
    const paths = rules.flatMap((rule) => rule.http.paths);
    const open = ({ path, pathType }: (typeof paths)[number], url: string) =>
      pathType === 'Exact' ? url === path : url === path || url.startsWith(`${path}/`);
    const backend = (url: string) => paths.find((entry) => open(entry, url))?.backend.service.name ?? null;
    expect(backend('/v1/upload/video/session')).toBe('sluice-upload');
    for (const url of ['/', '/watch/1', '/config.json', '/jobs/1', '/socket.io/', '/media/1/master.m3u8']) {
      expect(backend(url), url).toBe('sluice-gateway');
    }
    for (const url of ['/admin/queues', '/internal/scratch/1', '/health'])
      expect(backend(url), url).toBeNull();
  });
});

/** Lists of named things in one order: kustomize has its own. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) {
    const items = value.map(sorted);
    const nameOf = (item: unknown) => (item as { name?: string } | null)?.name;
    return items.every((item) => typeof nameOf(item) === 'string')
      ? items.sort((a, b) => nameOf(a)!.localeCompare(nameOf(b)!))
      : items;
  }
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, sorted(child)]));
}
