import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { SluiceClient } from '#client';
import { fileSource } from '#client/node';
import { readMetrics, type Stack, startStack, waitFor } from '#testing';
import { fileOf, TIMED } from '../clips/good.js';
import { MANY_SPANS, mustComplete } from './harness.js';

interface SentSpan {
  name: string;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  service: string;
}

interface Sent {
  resourceSpans: {
    resource: { attributes: { key: string; value: { stringValue?: string } }[] };
    scopeSpans: { spans: Omit<SentSpan, 'service'>[] }[];
  }[];
}

/** What a collector is sent, as JSON over HTTP. */
const spans: SentSpan[] = [];
const authorizations = new Set<string | undefined>();
const collector = createServer((request, response) => {
  authorizations.add(request.headers.authorization);
  void text(request).then((body) => {
    for (const { resource, scopeSpans } of (JSON.parse(body) as Sent).resourceSpans) {
      const named = resource.attributes.find(({ key }) => key === 'service.name');
      const service = named?.value.stringValue ?? '';
      spans.push(...scopeSpans.flatMap((scope) => scope.spans).map((span) => ({ ...span, service })));
    }
    response.writeHead(request.url === '/v1/traces' ? 200 : 404, { 'content-type': 'application/json' });
    response.end('{}');
  });
});

let stack: Stack;
beforeAll(async () => {
  collector.listen(0, '127.0.0.1');
  await once(collector, 'listening');
  const { port } = collector.address() as AddressInfo;
  stack = await startStack({
    env: {
      ...MANY_SPANS,
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
      OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20t',
      // The library's own: so often a batch is sent.
      OTEL_BSP_SCHEDULE_DELAY: '200',
    },
  });
});
afterAll(async () => {
  await stack?.stop();
  collector.close();
});

it('S3-14 a video on its way is one trace over HTTP, queues, ffmpeg and store, and is counted at each of them', async () => {
  // One chunk, so that all that follows follows from its request.
  const source = await fileSource(await fileOf(TIMED[1]!));
  const client = new SluiceClient({ uploadUrl: stack.urls.upload });
  let job = '';
  await client.upload(source, {
    chunkSize: source.size,
    onSession: ({ job_id }) => {
      job = job_id ?? '';
    },
  });
  await mustComplete(stack, job);

  const wholeTrace = () => {
    for (const start of spans.filter(({ name }) => name.startsWith('PUT '))) {
      const trace = spans.filter(({ traceId }) => traceId === start.traceId);
      const names = new Set(trace.map(({ service, name }) => `${service}: ${name}`));
      // A child may be sent before its parent, which ends later.
      if (WANTED.every((name) => names.has(name)) && rootsOf(trace).length === 1) return trace;
    }
    return null;
  };
  const trace = await waitFor(wholeTrace, {
    what: 'a trace with every part',
    timeoutMs: 10_000,
  }).catch((error: Error) => {
    throw new Error(`${error.message}; there were ${JSON.stringify(spans)}`);
  });
  expect(rootsOf(trace).map(({ name }) => name)).toEqual([expect.stringMatching(/^PUT /)]);
  expect([...authorizations]).toEqual(['Bearer t']);

  const rounds = async () =>
    (await readMetrics(stack.urls.transcode))('sluice_reconcile_rounds_total', { result: 'done' });
  await waitFor(async () => (await rounds()) > 0, { what: 'a round of the reconciler' });
  const transcode = await readMetrics(stack.urls.transcode);
  const storing = await readMetrics(stack.urls['segment-upload']);
  expect(transcode('sluice_span_runs_total', { kind: 'video', outcome: 'done' })).toBeGreaterThan(0);
  expect(transcode('sluice_span_runs_total', { outcome: 'failed' })).toBe(0);
  expect(transcode('sluice_queue_jobs_total', { queue: 'plan', result: 'done' })).toBeGreaterThan(0);
  const stored = storing('sluice_segments_total', { outcome: 'stored' });
  expect(stored).toBeGreaterThan(0);
  expect(storing('sluice_segment_bytes_total')).toBeGreaterThan(0);
  // An init segment that another span had brought is handed over, too.
  expect(transcode('sluice_segment_handover_seconds_count')).toBeGreaterThanOrEqual(stored);
  expect(storing('sluice_playable_seconds_count')).toBe(1);
  expect(storing('sluice_job_seconds_count')).toBe(1);
  expect(storing('sluice_facts_total', { type: 'processing_completed' })).toBe(1);

  const lines = (await stack.logs('transcode')).split('\n').filter((line) => line.includes('"trace_id"'));
  for (const line of lines) expect(JSON.parse(line)).toHaveProperty('trace_id');
});

function rootsOf(trace: SentSpan[]): SentSpan[] {
  const known = new Set(trace.map(({ spanId }) => spanId));
  return trace.filter(({ parentSpanId }) => !parentSpanId || !known.has(parentSpanId));
}

const WANTED = [
  'sluice-upload: store put',
  'sluice-transcode: queue plan',
  'sluice-transcode: queue span',
  'sluice-transcode: ffmpeg',
  'sluice-segment-upload: queue segment-upload',
  'sluice-segment-upload: store put',
  'sluice-transcode: GET /internal/scratch/:span/:lease/:rendition/:index',
];
