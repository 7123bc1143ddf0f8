import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import { buffer } from 'node:stream/consumers';

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

/** node:http without anything around it: the same light client for all servers. */
export class Client {
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 64 });

  constructor(private readonly base: string) {}

  async send(
    method: string,
    path: string,
    options: { headers?: Record<string, string | number>; body?: Buffer | Buffer[] } = {},
  ): Promise<Answer> {
    const parts = [options.body ?? []].flat();
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    const answer = await new Promise<Answer>((resolve, reject) => {
      const sending = request(new URL(path, this.base), {
        method,
        agent: this.agent,
        headers: {
          ...(length > 0 || method !== 'GET' ? { 'content-length': length } : {}),
          ...options.headers,
        },
      });
      sending.once('error', reject);
      sending.once('response', (response) => {
        buffer(response).then(
          (body) => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
          reject,
        );
      });
      for (const part of parts) sending.write(part);
      sending.end();
    });
    if (answer.status >= 400)
      throw new Error(`${method} ${path}: ${answer.status} ${answer.body.toString().slice(0, 500)}`);
    return answer;
  }

  async json<T>(method: string, path: string, value?: unknown): Promise<T> {
    const content =
      value === undefined
        ? {}
        : { body: Buffer.from(JSON.stringify(value)), headers: { 'content-type': 'application/json' } };
    const { body: answer } = await this.send(method, path, content);
    return JSON.parse(answer.toString()) as T;
  }

  close(): void {
    this.agent.destroy();
  }
}

/** At most `width` at a time, in order of their start. */
export async function inParallel<T>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<unknown>,
): Promise<void> {
  const queue = items[Symbol.iterator]();
  await Promise.all(
    Array.from({ length: width }, async () => {
      for (let next = queue.next(); !next.done; next = queue.next()) await work(next.value);
    }),
  );
}
