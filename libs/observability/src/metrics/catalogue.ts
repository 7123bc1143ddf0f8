/**
 * Every metric of ours, once (S3-14, S4-06); docs/operations.md tells what each is for. Labels list all
 * their values, so that a counter stands at 0 before the first of its kind, and none can grow without limit.
 */
export const METRICS = {
  sluice_uploads_started_total: {
    kind: 'counter',
    service: 'upload',
    help: 'Upload sessions that were opened.',
    labels: {},
  },
  sluice_uploads_total: {
    kind: 'counter',
    service: 'upload',
    help: 'Upload sessions that ended, by how; a duplicate needed no bytes.',
    labels: { outcome: ['completed', 'duplicate', 'failed', 'cancelled', 'expired'] },
  },
  sluice_upload_seconds: {
    kind: 'histogram',
    service: 'upload',
    help: 'Seconds from the opening of a session to its completion.',
    buckets: [0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14_400, 86_400],
  },
  sluice_upload_bytes_total: {
    kind: 'counter',
    service: 'upload',
    help: 'Bytes of confirmed chunks.',
    labels: {},
  },
  sluice_upload_chunks_total: {
    kind: 'counter',
    service: 'upload',
    help: 'Chunks by what became of them; known: these bytes were there.',
    labels: { result: ['stored', 'known', 'refused', 'cut_off', 'too_slow', 'no_space', 'failed'] },
  },
  sluice_dedup_hits_total: {
    kind: 'counter',
    service: 'upload',
    help: 'Uploads of a known file, by when it was recognised.',
    labels: { where: ['creation', 'completion'] },
  },
  sluice_scans_total: {
    kind: 'counter',
    service: 'upload',
    help: 'Conversations with the virus scanner, by how they ended; no_verdict: it is asked again.',
    labels: { result: ['clean', 'malware', 'no_verdict', 'given_up'] },
  },
  sluice_scan_seconds: {
    kind: 'histogram',
    service: 'upload',
    help: 'Seconds of a conversation with the virus scanner that ended with a verdict.',
    buckets: [0.05, 0.25, 1, 2.5, 5, 10, 30, 60, 300],
  },
  sluice_sessions_swept_total: {
    kind: 'counter',
    service: 'upload',
    help: 'Sessions that the sweep ended or completed.',
    labels: { result: ['expired', 'completed'] },
  },
  sluice_objects_swept_total: {
    kind: 'counter',
    service: 'upload',
    help: 'Stored objects and unfinished puts that no row named.',
    labels: { kind: ['chunk', 'unfinished'] },
  },
  sluice_ffmpeg_stalls_total: {
    kind: 'counter',
    service: 'transcode',
    help: 'ffmpeg runs that were killed because they made no progress.',
    labels: { kind: ['video', 'audio', 'subtitles', 'index'] },
  },
  sluice_vod_remux_stalls_total: {
    kind: 'counter',
    service: 'transcode',
    help: 'The same for what is copied: a rung from its source, a download from stored segments.',
    labels: { strategy: ['default', 'fallback', 'transcode'] },
  },
  sluice_sockets: {
    kind: 'gauge',
    service: 'gateway',
    help: 'Connected Socket.IO clients.',
    labels: [],
  },
  sluice_queue_length: {
    kind: 'gauge',
    service: 'gateway',
    help: 'Entries of a queue in a state; every gateway tells the same.',
    labels: ['queue', 'state'],
  },
  sluice_store_breaker_total: {
    kind: 'counter',
    service: 'every',
    help: 'Changes of the circuit breaker before the object store, by its new state.',
    labels: { state: ['open', 'half_open', 'closed'] },
  },
} as const satisfies Record<string, Metric>;

interface Common {
  /** Only this one has it at /metrics, or all of them. */
  service: 'every' | 'upload' | 'transcode' | 'segment-upload' | 'gateway';
  help: string;
}

export type Metric =
  | (Common & { kind: 'counter'; labels: Record<string, readonly string[]> })
  | (Common & { kind: 'histogram'; buckets: readonly number[] })
  | (Common & { kind: 'gauge'; labels: readonly string[] });

type Catalogue = typeof METRICS;
type NamesOf<K extends Metric['kind']> = {
  [N in keyof Catalogue]: Catalogue[N]['kind'] extends K ? N : never;
}[keyof Catalogue];

export type CounterName = NamesOf<'counter'>;
export type HistogramName = NamesOf<'histogram'>;
export type GaugeName = NamesOf<'gauge'>;
export type LabelsOf<N extends CounterName> = {
  [L in keyof Catalogue[N]['labels']]: Catalogue[N]['labels'][L] extends readonly (infer V)[] ? V : never;
};
export type GaugeLabels<N extends GaugeName> = Record<Catalogue[N]['labels'][number], string>;
