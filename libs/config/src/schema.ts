import { Type } from 'class-transformer';
import {
  IsIn,
  IsInt,
  IsNumber,
  IsOptional,
  IsString,
  Matches,
  Max,
  Min,
  MinLength,
  ValidateIf,
} from 'class-validator';
import { ENCODER_PRESETS, type EncoderPreset, PROFILE_NAME, QUALITIES, WEBHOOK_LANES } from '#contracts';
import { IsNetworks } from './networks.js';

const isS3 = ({ STORAGE_DRIVER }: { STORAGE_DRIVER?: unknown }) => STORAGE_DRIVER === 's3';
const NAMES = QUALITIES.join('|');
const PASSWORD = /^(.{12,200})?$/;
const notS3 = (environment: { STORAGE_DRIVER?: unknown }) => !isS3(environment);

/**
 * Every environment variable that the product reads, with its default. The same keys stand in
 * `.env.example`, `docker/compose.yaml` and `k8s/base` (a test holds them together).
 * A field without a default and without `@IsOptional` must be given.
 */
export class Environment {
  @IsIn(['development', 'production', 'test']) NODE_ENV = 'production';
  @IsIn(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']) LOG_LEVEL = 'info';

  // The record and the work in hand
  @Matches(/^postgres(ql)?:\/\//, { message: 'DATABASE_URL must be a postgres:// URL' }) DATABASE_URL: string;
  @Type(() => Number) @IsInt() @Min(2) DATABASE_POOL_SIZE = 10;
  @Matches(/^rediss?:\/\//, { message: 'REDIS_URL must be a redis:// or rediss:// URL' }) REDIS_URL: string;

  // Objects: chunks and media
  @IsIn(['directory', 's3']) STORAGE_DRIVER = 'directory';
  @ValidateIf(notS3) @IsString() @MinLength(1) STORAGE_DIR: string;
  /** `false`: what was confirmed may be lost when the machine, not only a process, dies. */
  @IsIn(['true', 'false']) STORAGE_FSYNC = 'true';
  /** Empty: Amazon's own for the region. */
  @IsOptional()
  @Matches(/^https?:\/\/[^/?#]+\/?$/, {
    message: 'S3_ENDPOINT must be a http:// or https:// URL without a path',
  })
  S3_ENDPOINT?: string;
  @IsString() @MinLength(1) S3_REGION = 'us-east-1';
  @ValidateIf(isS3)
  @Matches(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, { message: 'S3_BUCKET must be the name of a bucket' })
  S3_BUCKET: string;
  /** Both or neither; without them the SDK looks where it always does: profile, role of the pod or machine. */
  @ValidateIf((e: Environment) => isS3(e) && e.S3_SECRET_ACCESS_KEY !== undefined)
  @IsString()
  S3_ACCESS_KEY_ID?: string;
  @ValidateIf((e: Environment) => isS3(e) && e.S3_ACCESS_KEY_ID !== undefined)
  @IsString()
  S3_SECRET_ACCESS_KEY?: string;
  /** The bucket in the path; `false`: in the host name. */
  @IsIn(['true', 'false']) S3_FORCE_PATH_STYLE = 'true';
  /** Before every key, for a bucket that holds more than ours. */
  @Matches(/^([A-Za-z0-9_-][A-Za-z0-9._-]*\/)*$/, {
    message: 'S3_PREFIX must be empty or names that each end in /, like video/',
  })
  S3_PREFIX = '';
  /** Finished segments wait here until the store has confirmed them, and bytes of unknown length for S3; local to a process. */
  @IsString() @MinLength(1) SCRATCH_DIR = '/tmp/sluice-scratch';

  // Network
  @IsString() BIND_ADDRESS = '127.0.0.1';
  @Type(() => Number) @IsInt() @Min(0) @Max(65535) UPLOAD_PORT = 4101;
  @Type(() => Number) @IsInt() @Min(0) @Max(65535) TRANSCODE_PORT = 4102;
  @Type(() => Number) @IsInt() @Min(0) @Max(65535) SEGMENT_UPLOAD_PORT = 4103;
  @Type(() => Number) @IsInt() @Min(0) @Max(65535) GATEWAY_PORT = 4100;
  /** Host at which other services reach this process; a pod's IP on Kubernetes. */
  @IsString() ADVERTISED_HOST = '127.0.0.1';
  /** `open`: nobody is asked who they are, on loopback only. `keys`: every request shows an API key or an upload token. */
  @IsIn(['open', 'keys'])
  AUTH_MODE: 'open' | 'keys' = 'open';
  /** Media: `true` plays signed addresses (and what a key or token reaches), `false` everybody, `auto` signs where AUTH_MODE is keys. */
  @IsIn(['auto', 'true', 'false']) PLAYBACK_SIGNED = 'auto';
  /** A signed address is good for at least so long, and less than twice that. */
  @Type(() => Number) @IsInt() @Min(1) @Max(31_536_000) PLAYBACK_TTL_SECONDS = 21_600;
  /** Comma-separated host names (without port) that requests may name; loopback names are always allowed on loopback. */
  @IsString() ALLOWED_HOSTS = '';
  /** Comma-separated origins (scheme://host:port) whose pages may call us. */
  @IsString() ALLOWED_ORIGINS = '';
  /** Requests of one address, and of one key; media are not counted; 0: no limit. A sixth of it may come at once. */
  @Type(() => Number) @IsInt() @Min(0) RATE_LIMIT_ADDRESS_PER_MINUTE = 1200;
  @Type(() => Number) @IsInt() @Min(0) RATE_LIMIT_KEY_PER_MINUTE = 6000;
  /** Requests of one address that bring a file's bytes. */
  @Type(() => Number) @IsInt() @Min(0) RATE_LIMIT_CHUNKS_PER_MINUTE = 6000;
  /** Base URLs as a browser sees them. Empty: made from the port on loopback. */
  @IsString() PUBLIC_UPLOAD_URL = '';
  @IsString() PUBLIC_GATEWAY_URL = '';
  /** Until the answer to an ordinary request begins; streams, uploads and events last as long as they do (S1-10). */
  @Type(() => Number) @IsNumber() @Min(0.1) REQUEST_TIMEOUT_SECONDS = 60;
  /** Signs requests between services; at least 32 characters, the same for all of them. */
  @IsString()
  @MinLength(32, { message: 'INTERNAL_SECRET must have at least 32 characters' })
  INTERNAL_SECRET: string;

  // Uploads (S3-04)
  @Type(() => Number) @IsInt() @Min(1) UPLOAD_MAX_FILE_SIZE = 524_288_000;
  @Type(() => Number) @IsInt() @Min(1) UPLOAD_MAX_CHUNK_SIZE = 10_485_760;
  @Type(() => Number) @IsNumber() @Min(0.001) UPLOAD_SESSION_TIMEOUT_HOURS = 24;
  @IsString() UPLOAD_ALLOWED_EXTENSIONS = '.mp4,.m4v,.mov,.avi,.mkv,.webm,.ogg,.ogv,.3gp,.ts,.m2ts';
  /** Wins over the list to allow. */
  @IsString() UPLOAD_DENIED_EXTENSIONS = '';
  /** A client that is silent for so long is dropped, and one that sends less than the rate on the average of it. */
  @Type(() => Number) @IsNumber() @Min(0.1) UPLOAD_STALL_SECONDS = 60;
  /** 60 KiB in a minute: a phone with one bar does that, somebody who only holds the connection does not. */
  @Type(() => Number) @IsInt() @Min(0) UPLOAD_MIN_BYTES_PER_SECOND = 1024;
  @IsIn(['true', 'false']) ENABLE_DEDUPLICATION = 'true';
  /** What each tenant may have of it, where its own row does not say (docs/operations.md, Tenants); 0: as much as there is. */
  @Type(() => Number) @IsInt() @Min(0) QUOTA_BYTES_STORED = 0;
  @Type(() => Number) @IsInt() @Min(0) QUOTA_MINUTES_PER_MONTH = 0;
  @Type(() => Number) @IsInt() @Min(0) QUOTA_OPEN_SESSIONS = 0;
  /** So long a request that ends a file waits for its SHA-256; then it answers, and the file is completed by itself. */
  @Type(() => Number) @IsNumber() @Min(0) @Max(50) UPLOAD_COMPLETE_WAIT_SECONDS = 20;

  // What a source may be (docs/security.md)
  @Type(() => Number) @IsNumber() @Min(1) SOURCE_MAX_DURATION_SECONDS = 43_200;
  /** Pixels of one frame; ffmpeg holds a few dozen of them. */
  @Type(() => Number) @IsInt() @Min(256) @Max(500_000_000) SOURCE_MAX_PIXELS = 35_000_000;
  @Type(() => Number) @IsInt() @Min(1) @Max(1000) SOURCE_MAX_STREAMS = 64;
  /** Bits per second, size over duration. */
  @Type(() => Number) @IsInt() @Min(1) SOURCE_MAX_BIT_RATE = 2_000_000_000;
  @Type(() => Number) @IsInt() @Min(0) SOURCE_MIN_BIT_RATE = 50;
  @Type(() => Number) @IsInt() @Min(1) SOURCE_MAX_FRAME_RATE = 1000;
  @Type(() => Number) @IsNumber() @Min(1) PROBE_TIMEOUT_SECONDS = 60;
  /** Address space of one ffprobe; its libraries alone take 300. */
  @Type(() => Number) @IsInt() @Min(256) PROBE_MEMORY_MB = 1024;

  // Virus scan (S3-09)
  @IsIn(['off', 'before', 'quarantine']) SCAN_MODE = 'off';
  @IsString() @MinLength(1) CLAMD_HOST = '127.0.0.1';
  @Type(() => Number) @IsInt() @Min(1) @Max(65535) CLAMD_PORT = 3310;
  /** Instead of host and port. */
  @IsString() CLAMD_SOCKET = '';
  @Type(() => Number) @IsNumber() @Min(0.1) SCAN_TIMEOUT_SECONDS = 120;
  @Type(() => Number) @IsNumber() @Min(0) SCAN_GIVE_UP_SECONDS = 3600;
  /** From the beginning of a file; clamd's own StreamMaxLength is 100 MB unless it is told otherwise. */
  @Type(() => Number) @IsInt() @Min(1024) SCAN_MAX_BYTES = 104_857_600;

  // Processing
  @Type(() => Number) @IsInt() @Min(1) @Max(10) DEFAULT_PROCESSING_PRIORITY = 5;
  /** Videos of the whole deployment that are worked on at once; the others wait, the most urgent first (S3-04). */
  @Type(() => Number) @IsInt() @Min(1) @Max(10_000) PROCESSING_MAX_CONCURRENT_JOBS = 5;
  /** Waiting for so long counts as one step of priority, for the first in each line (docs/model.md, Places). */
  @Type(() => Number) @IsInt() @Min(1) @Max(86_400) PRIORITY_AGEING_SECONDS = 300;
  /** ffmpeg runs that encode at once in one transcode process. */
  @Type(() => Number) @IsInt() @Min(1) @Max(256) SPAN_CONCURRENCY = 2;
  /** Copied rungs and audio tracks at once in one transcode process. */
  @Type(() => Number) @IsInt() @Min(1) @Max(256) FOLLOWER_CONCURRENCY = 2;
  /** Segments in flight to the store in one segment-upload process. */
  @Type(() => Number) @IsInt() @Min(1) @Max(256) SEGMENT_CONCURRENCY = 8;
  @Type(() => Number) @IsNumber() @Min(1) @Max(10) SEGMENT_SECONDS = 4;
  @Type(() => Number) @IsNumber() @Min(1) @Max(600) SPAN_SECONDS = 20;
  /** Encoder threads per rung; part of the plan, because the thread count changes the bits. */
  @Type(() => Number) @IsInt() @Min(1) @Max(64) ENCODER_THREADS = 2;
  @IsIn(ENCODER_PRESETS) ENCODER_PRESET: EncoderPreset = 'veryfast';
  /** JSON with profiles beside, or instead of, the built-in ones (profiles.ts). */
  @IsString() PROFILES_FILE = '';
  /** Of uploads that do not say. */
  @Matches(PROFILE_NAME) DEFAULT_PROFILE = 'default';
  /** Segments per rendition and process that may wait for the store before ffmpeg is held (S0-12). */
  @Type(() => Number) @IsInt() @Min(1) @Max(1000) HANDOVER_WINDOW = 10;
  /** `false`: segments leave the encoder's process only when their run has ended (S0-18); scratch must hold it all. */
  @IsIn(['true', 'false']) WORKER_STREAMING_UPLOAD = 'true';
  /** Segments as MPEG-TS beside CMAF, of uploads that do not say (S0-11). */
  @IsIn(['true', 'false']) HLS_TS = 'false';
  /** Address space of one encoding ffmpeg; five rungs of 1080p take 1,000 (docs/performance.md). */
  @Type(() => Number) @IsInt() @Min(512) ENCODE_MEMORY_MB = 8192;
  @IsIn(['true', 'false']) POSTER = 'true';
  /** Pictures of a storyboard at most; 0: none is made. */
  @Type(() => Number) @IsInt() @Min(0) @Max(100) STORYBOARD_TILES = 100;
  /** Renditions that become an MP4 to download, where an upload does not choose: none, top, all, or names with commas. */
  @Matches(new RegExp(`^(none|top|all|(${NAMES})(,(${NAMES})){0,${QUALITIES.length - 1}})$`), {
    message: `DOWNLOADS must be none, top, all, or some of ${QUALITIES} with commas`,
  })
  DOWNLOADS = 'none';
  /** S1-07: segments that are compared with the source; 0: nothing is measured. */
  @Type(() => Number) @IsInt() @Min(0) @Max(20) QUALITY_SAMPLES = 3;
  /** What a rendition below one of the next three does to its job. */
  @IsIn(['warn', 'fail']) QUALITY_FLOOR = 'warn';
  /** 0–100; counts where ffmpeg has libvmaf, and the next two do where it has not. */
  @Type(() => Number) @IsNumber() @Min(0) @Max(100) QUALITY_MIN_VMAF = 70;
  @Type(() => Number) @IsNumber() @Min(0) @Max(1) QUALITY_MIN_SSIM = 0.85;
  /** dB */
  @Type(() => Number) @IsNumber() @Min(0) @Max(100) QUALITY_MIN_PSNR = 25;
  /** Tracks of a source that become renditions, the default one first; text beside sound. */
  @Type(() => Number) @IsInt() @Min(1) @Max(8) AUDIO_TRACKS = 8;
  @Type(() => Number) @IsInt() @Min(0) @Max(8) SUBTITLE_TRACKS = 8;
  @IsString() FFMPEG_PATH = 'ffmpeg';
  @IsString() FFPROBE_PATH = 'ffprobe';
  /** S4-02 */
  @Type(() => Number) @IsNumber() @Min(0.1) FFMPEG_STALL_GRACE_SECONDS = 30;
  @Type(() => Number) @IsNumber() @Min(0.1) FFMPEG_STALL_SECONDS = 90;

  // Webhooks
  /** Receivers in networks that are not public: all of them, none, or these. */
  @IsNetworks() WEBHOOK_ALLOW_PRIVATE = 'false';
  @Type(() => Number) @IsNumber() @Min(0.1) @Max(60) WEBHOOK_TIMEOUT_SECONDS = 15;
  /** Messages on their way to one endpoint at once, from all gateways. */
  @Type(() => Number) @IsInt() @Min(1) @Max(WEBHOOK_LANES) WEBHOOK_CONCURRENCY = 4;
  /** Before the second attempt; each pause after it is about three times what has passed, up to 4 h. */
  @Type(() => Number) @IsNumber() @Min(0.01) @Max(3600) WEBHOOK_RETRY_SECONDS = 5;
  @Type(() => Number) @IsNumber() @Min(0.0001) @Max(720) WEBHOOK_RETRY_HOURS = 24;
  /** An endpoint that has taken nothing for so long is sent nothing any more. */
  @Type(() => Number) @IsNumber() @Min(0.00001) WEBHOOK_DISABLE_DAYS = 5;
  /** What was delivered or given up is forgotten after that. */
  @Type(() => Number) @IsNumber() @Min(0.00001) WEBHOOK_RETENTION_DAYS = 30;

  // Recovery
  @Type(() => Number) @IsNumber() @Min(0.2) QUEUE_LOCK_SECONDS = 5;
  @Type(() => Number) @IsNumber() @Min(0.2) LEASE_SECONDS = 8;
  @Type(() => Number) @IsNumber() @Min(0.1) RECONCILE_INTERVAL_SECONDS = 5;
  /** Between looks for overdue and forgotten sessions; stored objects are compared with rows after ten times that. */
  @Type(() => Number) @IsNumber() @Min(0.1) SWEEP_INTERVAL_SECONDS = 60;
  @Type(() => Number) @IsNumber() @Min(0) SHUTDOWN_GRACE_SECONDS = 30;

  // The operator's pages (/admin/…): two people with a name and a password each
  @Matches(/^[^:]{1,64}$/, { message: 'ADMIN_USER must be a name without a colon' }) ADMIN_USER = 'admin';
  /** Empty: open on loopback where nobody is asked who they are, closed elsewhere. */
  @Matches(PASSWORD, { message: 'ADMIN_PASSWORD must have 12 to 200 characters' }) ADMIN_PASSWORD = '';
  @Matches(/^[^:]{1,64}$/, { message: 'ADMIN_VIEWER_USER must be a name without a colon' })
  ADMIN_VIEWER_USER = 'viewer';
  /** Of those who may look and change nothing. */
  @Matches(PASSWORD, { message: 'ADMIN_VIEWER_PASSWORD must have 12 to 200 characters' })
  ADMIN_VIEWER_PASSWORD = '';

  // Traces (OpenTelemetry)
  /** OTLP over HTTP. Empty: nothing is traced. */
  @Matches(/^(https?:\/\/[^?#]+)?$/, {
    message: 'OTEL_EXPORTER_OTLP_ENDPOINT must be a http:// or https:// URL',
  })
  OTEL_EXPORTER_OTLP_ENDPOINT = '';
  @IsString() OTEL_EXPORTER_OTLP_HEADERS = '';
  /** Share of traces that are kept. */
  @Type(() => Number) @IsNumber() @Min(0) @Max(1) OTEL_TRACES_SAMPLER_ARG = 1;

  // How long things are kept (S1-06)
  /** Rows of ended jobs and their events; media of completed ones stays. */
  @Type(() => Number) @IsNumber() @Min(0) JOB_RETENTION_DAYS = 7;
  @Type(() => Number) @IsNumber() @Min(0.0001) RETENTION_INTERVAL_HOURS = 24;
  /** Sources of ended jobs, and what a failed one has made: so long it can be tried again. */
  @Type(() => Number) @IsNumber() @Min(0) SOURCE_RETENTION_HOURS = 24;

  // Live progress
  @IsIn(['true', 'false']) WEBSOCKET_ENABLED = 'true';
  @Type(() => Number) @IsInt() @Min(1) WEBSOCKET_HEARTBEAT_INTERVAL = 30;
  /** Proxies whose X-Forwarded-For is believed: `true` for those on private networks, or addresses and networks with commas. */
  @Matches(/^(true|false|[0-9a-f.:/]+(, ?[0-9a-f.:/]+)*)$/i, {
    message: 'TRUST_PROXY must be true, false, or addresses and networks of proxies with commas',
  })
  TRUST_PROXY = 'false';
  @IsOptional() @IsString() SERVICE_VERSION?: string;
}
