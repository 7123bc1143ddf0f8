import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { Environment } from '#config';
import { SERVICES } from '#contracts';
import { METRICS } from '#observability';
import { type ComposeService, readCompose } from '../config/sources.js';
import { baseName, namesIn, problemsOf } from './promql.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (path: string) => readFileSync(root + path, 'utf8');

interface Rule {
  alert: string;
  expr: string;
  for?: string;
  labels: { severity: string };
  annotations: { summary: string; mend: string };
}
interface Rules {
  groups: { name: string; rules: Rule[] }[];
}
interface Panel {
  id: number;
  type: string;
  title: string;
  description?: string;
  gridPos: Record<'x' | 'y' | 'w' | 'h', number>;
  targets?: { refId: string; expr: string; datasource: { uid: string } }[];
}

const rules = parse(read('docker/prometheus/rules.yml')) as Rules;
const alerts = rules.groups.flatMap((group) => group.rules);
const dashboard = JSON.parse(read('docker/grafana/dashboards/sluice.json')) as {
  uid: string;
  panels: Panel[];
  templating: { list: { name: string; type: string }[] };
};
const queries = dashboard.panels.flatMap(({ title, targets = [] }) =>
  targets.map(({ expr }) => [title, expr] as const),
);

describe('the check of expressions', () => {
  it.each([
    ['sum(rate(sluice_upload_total[5m]))', /is no metric/],
    ['sum(rate(sluice_uploads_total{result="failed"}[5m]))', /has no label result/],
    ['sum(rate(sluice_uploads_total{outcome=~"failed|lost"}[5m]))', /outcome .* is never lost/],
    ['sum by (queue) (sluice_sockets)', /groups by queue/],
    ['sum(sluice_sockets', /do not close/],
    ['rate(sluice_upload_seconds[5m])', /is no metric/],
  ])('finds what is wrong with %s', (expression, problem) => {
    expect(problemsOf(expression).join('; ')).toMatch(problem);
  });
});

describe('alert rules', () => {
  it.each(alerts.map((rule) => [rule.alert, rule] as const))(
    '%s asks for what there is, says what is so and where to look',
    (_name, rule) => {
      expect(problemsOf(rule.expr)).toEqual([]);
      expect(['critical', 'warning']).toContain(rule.labels.severity);
      expect(rule.annotations.summary).not.toBe('');
      expect(rule.annotations.mend).not.toBe('');
      if (rule.for !== undefined) expect(rule.for).toMatch(/^\d+[smh]$/);
    },
  );

  it('have names of their own', () => {
    expect(new Set(alerts.map(({ alert }) => alert)).size).toBe(alerts.length);
  });

  it('are the same for Compose and Kubernetes', () => {
    const manifest = parse(read('k8s/monitoring/rules.yaml')) as { kind: string; spec: Rules };
    expect([manifest.kind, manifest.spec]).toEqual(['PrometheusRule', rules]);
  });

  const hasPromtool = spawnSync('promtool', ['--version']).status === 0;
  it.skipIf(!hasPromtool)('pass promtool (skipped where there is none)', () => {
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'rules', 'rules.yml'], {
      cwd: `${root}docker/prometheus`,
      encoding: 'utf8',
    });
    expect(status, stdout + stderr).toBe(0);
  });
});

describe('the dashboard', () => {
  it.each(queries)('%s: %s', (_title, expression) => {
    expect(problemsOf(expression)).toEqual([]);
  });

  it('S3-14 S4-06 shows every metric there is', () => {
    const shown = new Set(queries.flatMap(([, expression]) => namesIn(expression)).map(baseName));
    expect(Object.keys(METRICS).filter((name) => !shown.has(name))).toEqual([]);
  });

  it('has a place and an explanation for each panel, and no two in one place', () => {
    const taken = new Set<string>();
    for (const { type, title, description, gridPos } of dashboard.panels) {
      expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24);
      if (type !== 'row') expect(description, title).toBeTruthy();
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(taken.has(`${x},${y}`), title).toBe(false);
          taken.add(`${x},${y}`);
        }
      }
    }
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
  });

  it('asks the data source that its reader chooses', () => {
    expect(dashboard.templating.list).toContainEqual(
      expect.objectContaining({ name: 'datasource', type: 'datasource' }),
    );
    for (const { targets = [] } of dashboard.panels)
      for (const { datasource } of targets) expect(datasource.uid).toBe(`\${datasource}`);
  });
});

describe('docker/monitoring.yaml', () => {
  const compose = parse(read('docker/monitoring.yaml'), { merge: true }) as {
    services: Record<string, ComposeService>;
  };

  it('mounts what is there, is reached from this machine only, and has no password of its own', () => {
    for (const { volumes, ports = [] } of Object.values(compose.services)) {
      for (const [source = ''] of volumes.map((volume) => volume.split(':')))
        if (source.startsWith('.')) expect(existsSync(`${root}docker/${source}`), source).toBe(true);
      for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:/);
    }
    expect(compose.services.grafana!.environment!.GF_SECURITY_ADMIN_PASSWORD).toMatch(/:\?/);
    for (const name of Object.keys(compose.services)) expect(readCompose().services).not.toHaveProperty(name);
  });

  it('scrapes every process of every service at its port', () => {
    const { scrape_configs: scraped } = parse(read('docker/prometheus/prometheus.yml')) as {
      scrape_configs: {
        job_name: string;
        dns_sd_configs: { names: string[]; type: string; port: number }[];
      }[];
    };
    const ports = new Environment() as unknown as Record<string, number>;
    expect(scraped.map(({ job_name: job, dns_sd_configs: [found] }) => [job, found])).toEqual(
      ['upload', 'transcode', 'segment-upload', 'gateway'].map((service) => [
        `sluice-${service}`,
        expect.objectContaining({
          names: [service],
          type: 'A',
          port: ports[`${service.toUpperCase().replaceAll('-', '_')}_PORT`],
        }),
      ]),
    );
    expect(scraped).toHaveLength(SERVICES.length);
  });
});
