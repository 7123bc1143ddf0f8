import { EVENT_TYPES, QUEUE_NAMES } from '#contracts';

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
  sluice_span_runs_total: {
    kind: 'counter',
    service: 'transcode',
    help: 'Runs of spans that ended, by what was made and how it went on; again: the same work is tried once more.',
    labels: {
      kind: ['video', 'copy', 'audio', 'subtitles', 'index'],
      outcome: ['done', 'waits', 'again', 'handed_over', 'lost', 'failed'],
    },
  },
  sluice_encode_speed: {
    kind: 'histogram',
    service: 'transcode',
    help: 'Seconds of video per second, all rungs, of spans whose bytes were all there when they began.',
    buckets: [0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 20, 50],
  },
  sluice_segment_handover_seconds: {
    kind: 'histogram',
    service: 'transcode',
    help: 'Seconds from the end of a segment in the encoder to its confirmation by the store.',
    buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
  },
  sluice_reconciled_total: {
    kind: 'counter',
    service: 'transcode',
    help: 'Entries that rows called due and the queue had lost.',
    labels: { queue: ['scan', 'span', 'follower', 'long-follower', 'index', 'finishing'] },
  },
  sluice_segments_total: {
    kind: 'counter',
    service: 'segment-upload',
    help: 'Announced segments by what became of them; known: another copy was first.',
    labels: { outcome: ['stored', 'known', 'late', 'refused'] },
  },
  sluice_segment_bytes_total: {
    kind: 'counter',
    service: 'segment-upload',
    help: 'Bytes of stored segments.',
    labels: {},
  },
  sluice_playable_seconds: {
    kind: 'histogram',
    service: 'segment-upload',
    help: 'Seconds from the opening of a session to when its stream could be played, of jobs that completed.',
    buckets: [1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14_400],
  },
  sluice_job_seconds: {
    kind: 'histogram',
    service: 'segment-upload',
    help: 'Seconds from the opening of a session to the completion of its job.',
    buckets: [5, 10, 30, 60, 300, 900, 3600, 14_400, 86_400],
  },
  sluice_sockets: {
    kind: 'gauge',
    service: 'gateway',
    help: 'Connected Socket.IO clients.',
    labels: [],
  },
  sluice_event_streams: {
    kind: 'gauge',
    service: 'gateway',
    help: 'Open streams of server-sent events.',
    labels: [],
  },
  sluice_slow_clients_total: {
    kind: 'counter',
    service: 'gateway',
    help: 'Times that a client took too little and is brought up from rows instead of being sent each fact.',
    labels: {},
  },
  sluice_queue_length: {
    kind: 'gauge',
    service: 'gateway',
    help: 'Entries of a queue in a state; every gateway tells the same.',
    labels: ['queue', 'state'],
  },
  sluice_queue_oldest_seconds: {
    kind: 'gauge',
    service: 'gateway',
    help: 'Age of the oldest entry that waits in a queue; 0: none waits. Every gateway tells the same.',
    labels: ['queue'],
  },
  sluice_event_lag_seconds: {
    kind: 'histogram',
    service: 'gateway',
    help: 'Seconds from the publication of a fact to its arrival at this gateway.',
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30],
  },
  sluice_jobs: {
    kind: 'gauge',
    service: 'gateway',
    help: 'Open jobs in rows; uploading: their source is not complete. Every gateway tells the same, as of all below.',
    labels: ['state'],
  },
  sluice_job_idle_seconds: {
    kind: 'gauge',
    service: 'gateway',
    help: 'Longest time without news of a job with a complete source, by its state.',
    labels: ['state'],
  },
  sluice_quarantined: {
    kind: 'gauge',
    service: 'gateway',
    help: 'Work that ended its process three times and is set aside until an operator releases it.',
    labels: ['kind'],
  },
  sluice_sessions_open: {
    kind: 'gauge',
    service: 'gateway',
    help: 'Upload sessions that are neither complete nor ended.',
    labels: [],
  },
  sluice_workers: {
    kind: 'gauge',
    service: 'gateway',
    help: 'Transcode processes that have been heard of within the last 15 s.',
    labels: [],
  },
  sluice_facts_total: {
    kind: 'counter',
    service: 'every',
    help: 'Facts that this process has published, by type: jobs by their ends are among them.',
    labels: { type: EVENT_TYPES.filter((type) => type !== 'heartbeat') },
  },
  sluice_queue_jobs_total: {
    kind: 'counter',
    service: 'every',
    help: 'Queue entries that this process has handled; put_back: it was not the time for them.',
    labels: { queue: QUEUE_NAMES, result: ['done', 'put_back', 'failed'] },
  },
  sluice_reconcile_rounds_total: {
    kind: 'counter',
    service: 'every',
    help: 'Looks for work that rows know and queues lost.',
    labels: { result: ['done', 'failed'] },
  },
  sluice_requests_total: {
    kind: 'counter',
    service: 'every',
    help: 'Answered HTTP requests by class of status; those of probes are not counted.',
    labels: { status: ['2xx', '3xx', '4xx', '5xx'] },
  },
  sluice_request_seconds: {
    kind: 'histogram',
    service: 'every',
    help: 'Seconds to the end of an answer, of requests that neither send nor receive a stream.',
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60],
  },
  sluice_webhook_attempts_total: {
    kind: 'counter',
    service: 'gateway',
    help: 'Attempts to send a message to an endpoint, by how they ended; given_up: it is a dead letter now.',
    labels: { result: ['delivered', 'failed', 'given_up'] },
  },
  sluice_webhook_seconds: {
    kind: 'histogram',
    service: 'gateway',
    help: 'Seconds of an attempt, until its answer or its failure.',
    buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
  },
  sluice_webhooks_disabled_total: {
    kind: 'counter',
    service: 'gateway',
    help: 'Endpoints that are sent nothing any more, by why.',
    labels: { reason: ['failing', 'gone'] },
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
