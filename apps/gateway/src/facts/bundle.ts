import type { Fact } from '#contracts';

/** RFC 6455, 5.2: a final, unmasked text frame. */
const FINAL_TEXT = 0x81;
/** Engine.IO: a message; Socket.IO: an event of the default namespace. */
const MESSAGE = '4';
const EVENT = '2';

/**
 * Facts that go to the same clients at the same time. Each way of writing them is made once, however
 * many clients there are, and is one write to each: a client costs a copy and a system call.
 */
export class Bundle {
  private frameBytes: Buffer | undefined;
  private eventText: string | undefined;
  private readonly texts: string[];

  constructor(readonly facts: readonly Fact[]) {
    this.texts = facts.map((fact) => JSON.stringify(fact));
  }

  /** WebSocket frames of Socket.IO events, each under the name of its type. */
  get frames(): Buffer {
    this.frameBytes ??= Buffer.concat(this.packets().map((packet) => textFrame(MESSAGE + packet)));
    return this.frameBytes;
  }

  /** Socket.IO packets for other transports. */
  packets(): string[] {
    return this.facts.map(({ event_type }, index) => `${EVENT}["${event_type}",${this.texts[index]}]`);
  }

  /** Server-sent events. Progress has no id, so that the last one known stays that of a durable fact. */
  get events(): string {
    this.eventText ??= this.facts
      .map(
        ({ event_type, id }, index) =>
          `event: ${event_type}\n${id === undefined ? '' : `id: ${id}\n`}data: ${this.texts[index]}\n\n`,
      )
      .join('');
    return this.eventText;
  }

  /** Itself when all of them are wanted. */
  only(isWanted: (fact: Fact) => boolean): Bundle {
    const facts = this.facts.filter(isWanted);
    return facts.length === this.facts.length ? this : new Bundle(facts);
  }
}

function textFrame(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const head = length < 126 ? 2 : length < 0x10000 ? 4 : 10;
  const frame = Buffer.allocUnsafe(head + length);
  frame[0] = FINAL_TEXT;
  if (head === 2) frame[1] = length;
  else if (head === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 127;
    frame.writeBigUInt64BE(BigInt(length), 2);
  }
  frame.write(text, head);
  return frame;
}
