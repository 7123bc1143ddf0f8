import { createHmac, randomBytes } from 'node:crypto';

const PREFIX = 'whsec_';

export const newSecret = () => PREFIX + randomBytes(32).toString('base64');

/**
 * Headers of Standard Webhooks (https://www.standardwebhooks.com): a signature for each secret that is in
 * use, over id, time of this attempt and body. `seconds`: since the epoch.
 */
export function signatureHeaders(
  { id, body }: { id: string; body: string },
  seconds: number,
  secrets: string[],
): Record<string, string> {
  const sign = (secret: string) =>
    createHmac('sha256', Buffer.from(secret.slice(PREFIX.length), 'base64'))
      .update(`${id}.${seconds}.${body}`)
      .digest('base64');
  return {
    'webhook-id': id,
    'webhook-timestamp': String(seconds),
    'webhook-signature': secrets.map((secret) => `v1,${sign(secret)}`).join(' '),
  };
}
