/**
 * What the stranger's walk must know of routes; it finds the routes themselves in the running services.
 * A route that takes a body is listed in BODIES with one that is well-formed; a route for everybody in
 * OPEN_TO_ALL. All others must refuse strangers without being listed.
 */

const withHead = (...paths: string[]) => paths.flatMap((path) => [`GET ${path}`, `HEAD ${path}`]);

/** They tell nothing of a tenant's, or ask for a signature themselves. */
export const OPEN_TO_ALL = new Set([
  ...withHead('/', '/*', '*', '/config.json', '/watch/:jobId'),
  ...withHead('/health', '/health/live', '/metrics'),
  ...['OPTIONS /files/', 'OPTIONS /files/:id', 'OPTIONS /files'],
]);

/** Doors of their own: between services, and for operators. */
export const CLOSED = /^\/(internal|admin)\//;

interface Given {
  json?: unknown;
  bytes?: string;
  headers?: Record<string, string>;
}

const OCTETS = 'application/octet-stream';
const clip = { filename: 'clip.mp4', size: 1000 };

/** By method and pattern. */
export const BODIES: Record<string, Given> = {
  'POST /v1/upload/video/session': { json: clip },
  'POST /v1/upload/video/known': { json: { size: 1000, edges_sha256: 'a'.repeat(64) } },
  'POST /v1/upload/batch': { json: {} },
  'POST /v1/keys': { json: { name: 'x', scopes: ['jobs:read'] } },
  'POST /v1/keys/:id/rotate': { json: {} },
  'POST /v1/upload-tokens': { json: { size: 1000 } },
  'POST /v1/webhooks': { json: { url: 'https://webhooks.invalid/' } },
  'PATCH /v1/webhooks/:id': { json: { description: 'x' } },
  'POST /v1/webhooks/:id/secret': { json: {} },
  'POST /jobs/:id/priority': { json: { priority: 5 } },
  'POST /jobs/:id/retry': { json: {} },
  'PUT /v1/tenants/:id': { json: {} },
  'POST /files': { headers: { 'upload-length': '1000' } },
  'POST /files/': { headers: { 'upload-length': '1000' } },
  'PATCH /files/:id': {
    headers: { 'upload-offset': '0', 'content-type': 'application/offset+octet-stream' },
  },
  'PUT /v1/upload/video/session/:id/bytes/:offset': {
    bytes: 'x',
    headers: { 'content-type': OCTETS, 'x-content-sha256': 'a'.repeat(64) },
  },
};
