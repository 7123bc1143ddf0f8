import type { Environment } from '#config';
import { hostName } from '#http';

/** Base URL of the upload service as the browser that sent this Host sees it. */
export function uploadUrl(environment: Environment, host: string): string {
  if (environment.PUBLIC_UPLOAD_URL !== '') return environment.PUBLIC_UPLOAD_URL.replace(/\/+$/, '');
  return `http://${hostName(host)}:${environment.UPLOAD_PORT}`;
}

/**
 * What the page may load: itself, media and workers as blobs (hls.js), the upload service, and the
 * socket of this host (not every browser counts it as 'self'). Styles may be inline, for shadow trees.
 */
export function contentSecurityPolicy(environment: Environment, host: string): string {
  const upload = uploadUrl(environment, host);
  return [
    "default-src 'self'",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "media-src 'self' blob:",
    "worker-src 'self' blob:",
    `connect-src 'self' ws://${host} wss://${host} ${URL.canParse(upload) ? new URL(upload).origin : ''}`.trimEnd(),
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}
