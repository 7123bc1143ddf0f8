/** The least of a Socket.IO client: text frames over a WebSocket, so that what is measured is the gateway. */
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';

const PING = '2';
const PONG = '3';

/** A masked text frame (RFC 6455, 5.3). */
function frame(text) {
  const payload = Buffer.from(text);
  const mask = randomBytes(4);
  const head =
    payload.length < 126
      ? Buffer.from([0x81, 0x80 | payload.length])
      : Buffer.from([0x81, 0xfe, payload.length >> 8, payload.length & 0xff]);
  for (let i = 0; i < payload.length; i += 1) payload[i] ^= mask[i & 3];
  return Buffer.concat([head, mask, payload]);
}

/** `onText(buffer)` for every message; `onDown()` once when the line ends, `cut` before that without a word. */
export function openSocket(url, { onText, onDown }) {
  const { hostname, port } = new URL(url);
  const line = connect({ host: hostname, port: Number(port), noDelay: true });
  let rest = Buffer.alloc(0);
  let isUpgraded = false;
  let isUp = true;
  const down = () => {
    if (!isUp) return;
    isUp = false;
    line.destroy();
    onDown();
  };
  line.on('error', down);
  line.on('close', down);
  line.write(
    `GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: ${hostname}:${port}\r\nUpgrade: websocket\r\n` +
      `Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`,
  );
  const send = (text) => line.write(frame(text));
  line.on('data', (bytes) => {
    rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
    if (!isUpgraded) {
      const end = rest.indexOf('\r\n\r\n');
      if (end === -1) return;
      if (!rest.toString('latin1', 0, 12).endsWith('101')) return down();
      isUpgraded = true;
      rest = rest.subarray(end + 4);
    }
    let at = 0;
    while (isUp && rest.length - at >= 2) {
      let length = rest[at + 1] & 0x7f;
      let head = 2;
      if (length === 126) {
        if (rest.length - at < 4) break;
        length = rest.readUInt16BE(at + 2);
        head = 4;
      } else if (length === 127) {
        if (rest.length - at < 10) break;
        length = Number(rest.readBigUInt64BE(at + 2));
        head = 10;
      }
      if (rest.length - at < head + length) break;
      const opcode = rest[at] & 0x0f;
      const text = rest.subarray(at + head, at + head + length);
      at += head + length;
      if (opcode === 8) return down();
      if (opcode !== 1) continue;
      if (length === 1 && text[0] === PING.charCodeAt(0)) send(PONG);
      else onText(text, send);
    }
    rest = at === rest.length ? Buffer.alloc(0) : rest.subarray(at);
    return undefined;
  });
  return { send };
}
