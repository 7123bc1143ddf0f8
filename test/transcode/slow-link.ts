import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Stack } from '#testing';

export interface SlowLink {
  bytes(): number;
  close(): void;
}

/**
 * Puts itself between the first transcode process and those who store its segments: all answers together
 * have `bytesPerSecond`. To the encoder that is a slow store.
 */
export async function slowLink(stack: Stack, bytesPerSecond: number): Promise<SlowLink> {
  let carried = 0;
  let free = Date.now();
  const throttle = () =>
    new Transform({
      highWaterMark: 4096,
      transform(chunk: Buffer, _encoding, done) {
        carried += chunk.length;
        free = Math.max(free, Date.now()) + (1000 * chunk.length) / bytesPerSecond;
        sleep(free - Date.now()).then(() => done(null, chunk), done);
      },
    });
  const { hostname, port } = new URL(stack.urls.transcode);
  const server = createServer((incoming, outgoing) => {
    const { method, url, headers } = incoming;
    const onward = request({ hostname, port, method, path: url, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      pipeline(answer, throttle(), outgoing).catch(() => outgoing.destroy());
    });
    onward.on('error', () => outgoing.destroy());
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  // The process says its own address with every heartbeat.
  await stack.query(
    `CREATE FUNCTION through_link() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.address := '${address}'; RETURN NEW; END $$`,
  );
  await stack.query(
    'CREATE TRIGGER through_link BEFORE INSERT OR UPDATE ON workers FOR EACH ROW EXECUTE FUNCTION through_link()',
  );
  await stack.query('UPDATE workers SET address = address');
  return {
    bytes: () => carried,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
