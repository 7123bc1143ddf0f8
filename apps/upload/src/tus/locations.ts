import { TUS_PATH } from './protocol.js';

/**
 * Addresses of uploads. Only the path: what scheme and host a client sees a proxy knows better, but the
 * path before ours stands in PUBLIC_UPLOAD_URL.
 */
export class Locations {
  private readonly base: string;

  constructor(publicUrl: string) {
    const prefix = publicUrl === '' ? '' : new URL(publicUrl).pathname.replace(/\/+$/, '');
    this.base = `${prefix}${TUS_PATH}`;
  }

  of(id: string): string {
    return `${this.base}/${id}`;
  }
}
