import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AddressGuard } from '../../apps/gateway/src/webhooks/address-guard.js';
import { nextPause, restAfter } from '../../apps/gateway/src/webhooks/patience.js';
import { resolveName } from '../../apps/gateway/src/webhooks/resolver.js';
import { Sender } from '../../apps/gateway/src/webhooks/sender.js';
import { newSecret, signatureHeaders } from '../../apps/gateway/src/webhooks/signature.js';
import { checkUrl } from '../../apps/gateway/src/webhooks/target.js';
import { Vault } from '../../apps/gateway/src/webhooks/vault.js';
import { Receiver, status } from './receiver.js';

let receiver: Receiver;
beforeAll(async () => {
  receiver = await Receiver.listen('0.0.0.0');
});
afterAll(() => receiver?.close());

const never = new AbortController().signal;
const HOME = '127.0.0.1/32';

function sender(resolve: (name: string) => string[], allow = HOME, timeoutMs = 5000): Sender {
  return new Sender({ resolve: async (name) => resolve(name), guard: new AddressGuard(allow), timeoutMs });
}

describe('which addresses are called', () => {
  const guard = new AddressGuard('false');

  it.each(['1.1.1.1', '203.0.112.255', '2606:4700::1111', '::ffff:8.8.8.8'])('%s is public', (address) => {
    expect(guard.allows(address)).toBe(true);
  });

  it.each([
    ...['127.0.0.1', '127.9.9.9', '0.0.0.0', '10.0.0.1', '172.16.0.1', '192.168.1.1', '169.254.169.254'],
    ...['100.64.0.1', '100.100.100.200', '192.0.0.192', '198.18.0.1', '224.0.0.1', '240.0.0.1'],
    ...['255.255.255.255', '168.63.129.16', '::', '::1', 'fe80::1', 'fc00::1', 'fd00:ec2::254', 'fec0::1'],
    ...['ff02::1', '::ffff:127.0.0.1', '::ffff:a9fe:a9fe', '::127.0.0.1', '::ffff:0:10.0.0.1'],
    ...['64:ff9b::7f00:1', '64:ff9b:1::1', '2002:7f00:1::', '2001:0:1::1', '2001:db8::1', '4000::1', 'x'],
  ])('%s is not', (address) => {
    expect(guard.allows(address)).toBe(false);
  });

  it('WEBHOOK_ALLOW_PRIVATE opens what it names, and no more', () => {
    const some = new AddressGuard('10.1.0.0/16, fd00::/8');
    expect(['10.1.2.3', '::ffff:10.1.2.3', 'fd00::1', '9.9.9.9'].map((a) => some.allows(a))).toEqual([
      true,
      true,
      true,
      true,
    ]);
    expect(['10.2.0.1', '127.0.0.1', 'fc00::1'].map((a) => some.allows(a))).toEqual([false, false, false]);
    expect(new AddressGuard('true').allows('127.0.0.1')).toBe(true);
  });

  it.each([
    ...['ftp://example.com/', 'file:///etc/passwd', 'example.com', '', 'http://', 'https://a:b@example.com/'],
    ...['https://example.com/#x', 'http://127.0.0.1/', 'http://127.1/', 'http://2130706433/'],
    ...['http://0x7f.0.0.1/', 'http://0177.0.0.1/', 'http://[::1]/', 'http://[::ffff:127.0.0.1]/'],
    ...['http://169.254.169.254/latest/', 'http://１２７.０.０.１/'],
  ])('%s is refused before anybody is called', (url) => {
    expect(() => checkUrl(url, guard)).toThrow(expect.objectContaining({ code: 'webhook_url_refused' }));
  });

  it('takes what is left, in its usual form', () => {
    expect(checkUrl('HTTPS://Example.com/hook?a=1', guard)).toBe('https://example.com/hook?a=1');
  });
});

describe('sending', () => {
  const post = (from: Sender, url: string, signal = never) => from.post(url, {}, '{}', signal);

  it('a name is looked up once, and what was checked is called: rebinding it changes nothing', async () => {
    const asked: string[] = [];
    const rebinding = sender((name) => {
      asked.push(name);
      return asked.length === 1 ? ['127.0.0.1'] : ['127.0.0.2'];
    });
    const before = receiver.received.length;
    const url = receiver.url('/rebound', 'rebinding.example');
    expect(await post(rebinding, url)).toMatchObject({ delivered: true, status: 200 });
    expect(asked).toEqual(['rebinding.example']);
    expect(receiver.received.at(-1)?.headers.host).toBe(new URL(url).host);
    const second = await post(rebinding, url);
    expect(second).toMatchObject({ delivered: false, status: null });
    expect(second.error).toContain('not in a public network');
    expect(receiver.received.length).toBe(before + 1);
  });

  it('a name with one address inside is not called at any', async () => {
    const both = sender(() => ['127.0.0.1', '10.0.0.1']);
    const before = receiver.received.length;
    expect((await post(both, receiver.url('/', 'both.example'))).error).toContain('not in a public network');
    expect((await post(both, receiver.url('/', '127.0.0.2'))).error).toContain('not in a public network');
    expect(receiver.received.length).toBe(before);
  });

  it('a redirect is an answer like any other that is no success', async () => {
    receiver.answer = status(307, { location: receiver.url('/inside', '127.0.0.2') });
    const before = receiver.received.length;
    const outcome = await post(
      sender(() => ['127.0.0.1']),
      receiver.url('/moved'),
    );
    expect(outcome).toMatchObject({ delivered: false, status: 307 });
    expect(outcome.error).toContain('redirects are not followed');
    expect(receiver.received.length).toBe(before + 1);
    receiver.answer = (response) => response.end();
  });

  it('an answer is not waited for longer than the timeout, and not read beyond its bound', async () => {
    const quick = sender(() => ['127.0.0.1'], HOME, 200);
    receiver.answer = () => undefined;
    expect((await post(quick, receiver.url())).error).toBe('There was no answer within 0.2 s.');
    let written = 0;
    receiver.answer = (response) => {
      const more = () => {
        while (!response.destroyed && response.write(Buffer.alloc(64 * 1024))) written += 1;
        written += 1;
        response.once('drain', more);
      };
      more();
    };
    expect(
      await post(
        sender(() => []),
        receiver.url(),
      ),
    ).toMatchObject({ delivered: true, status: 200 });
    expect(written).toBeLessThan(1000);
    receiver.answer = (response) => response.write('slowly');
    expect(await post(quick, receiver.url())).toMatchObject({ delivered: true, status: 200 });
    receiver.answer = (response) => response.end();
  });

  it('says what went wrong without an answer', async () => {
    const nobody = await Receiver.listen();
    await nobody.down();
    expect(
      (
        await post(
          sender(() => []),
          nobody.url(),
        )
      ).error,
    ).toContain('ECONNREFUSED');
    expect(
      (
        await post(
          sender(() => []),
          'http://unknown.example/',
        )
      ).error,
    ).toBe('Its host name is not known.');
    expect(
      (
        await post(
          sender(() => []),
          receiver.url().replace('http:', 'https:'),
        )
      ).error,
    ).toMatch(/\(\w+\)/);
    const noise = createServer((socket) => socket.end('no HTTP at all\r\n\r\n')).listen(0, '127.0.0.1');
    await once(noise, 'listening');
    const { port } = noise.address() as { port: number };
    expect(
      (
        await post(
          sender(() => []),
          `http://127.0.0.1:${port}/`,
        )
      ).error,
    ).toContain('HPE_');
    noise.close();
  });

  it('names of this machine are known, too, and nobody waits for a look-up beyond their time', async () => {
    expect(await resolveName('localhost', never)).toContain('127.0.0.1');
    expect(await resolveName('nowhere.invalid', never)).toEqual([]);
    await expect(resolveName('localhost', AbortSignal.abort(new Error('too late')))).rejects.toThrow(
      'too late',
    );
  });

  it('is cut short by its signal, and says so', async () => {
    receiver.answer = () => undefined;
    const stop = new AbortController();
    const sent = post(
      sender(() => []),
      receiver.url('/cut'),
      stop.signal,
    );
    await receiver.hears(receiver.received.length + 1);
    stop.abort();
    await expect(sent).rejects.toThrow();
    receiver.answer = (response) => response.end();
  });
});

describe('signing', () => {
  it('is what the library of the standard verifies, with each secret that is in use', () => {
    const [secret, previous] = [newSecret(), newSecret()];
    const message = { id: randomUUID(), body: '{"type":"é"}' };
    const headers = signatureHeaders(message, Math.floor(Date.now() / 1000), [secret, previous]);
    expect(headers['webhook-signature']?.split(' ')).toHaveLength(2);
    for (const known of [secret, previous]) new Webhook(known).verify(message.body, headers);
    expect(() => new Webhook(newSecret()).verify(message.body, headers)).toThrow();
    expect(() => new Webhook(secret).verify('{"type":"e"}', headers)).toThrow();
    const old = signatureHeaders(message, Math.floor(Date.now() / 1000) - 301, [secret]);
    expect(() => new Webhook(secret).verify(message.body, old)).toThrow('too old');
  });

  it('a secret at rest opens with its key and for its endpoint only', () => {
    const vault = new Vault('a secret of this deployment, long enough');
    const sealed = vault.seal('one', 'whsec_x');
    expect(sealed).not.toContain('whsec');
    expect(vault.open('one', sealed)).toBe('whsec_x');
    expect(() => vault.open('another', sealed)).toThrow();
    expect(() => new Vault('another secret of another deployment').open('one', sealed)).toThrow();
  });
});

describe('the pauses between attempts', () => {
  it('an endpoint that fails again and again is left alone for longer and longer, up to half a minute', () => {
    expect([0, 1, 2, 3, 4, 5, 8, 9, 1000].map(restAfter)).toEqual([0, 0, 0, 1, 2, 4, 30, 30, 30]);
  });

  const patience = { firstSeconds: 5, totalSeconds: 24 * 3600 };

  it('grow, and the last attempt is after 24 hours', () => {
    const times = [0];
    for (let at = 0; ; ) {
      const pause = nextPause(at, null, patience, 0.5);
      if (pause === null) break;
      at += pause;
      times.push(at);
    }
    expect(times.slice(0, 7)).toEqual([0, 5, 20, 80, 320, 1280, 5120]);
    expect(times.at(-1)).toBe(24 * 3600);
    expect(times.length).toBeLessThan(15);
  });

  it('differ from message to message, and are as long as a receiver asks, up to an hour', () => {
    expect([0, 1].map((random) => Math.round(nextPause(100, null, patience, random) ?? 0))).toEqual([
      240, 360,
    ]);
    expect(nextPause(0, 90, patience, 0.5)).toBe(90);
    expect(nextPause(0, 1e9, patience, 0.5)).toBe(3600);
    expect(nextPause(24 * 3600, 5, patience, 0.5)).toBeNull();
  });
});
