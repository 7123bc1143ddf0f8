/**
 * Many clients in one process. By message: `{connect: {urls, jobs, sockets, toFirst}}`, `{reset: true}`,
 * `{report: true}`. Each client follows one job and comes back, to another gateway, when its line is lost.
 */
import { openSocket } from './socket.mjs';

const SEQ = Buffer.from('"seq":');
const PREVIOUS = Buffer.from('"previous":');
const EVENT_ID = Buffer.from('"id":"');
const PUBLISHED = Buffer.from('"message":"');
const DURABLE = Buffer.from('"durable":true');
/** Connections that are made at once, and the time in which those of a dead gateway come back. */
const AT_ONCE = 50;
const RETURN_MS = 1000;

const clients = [];
let latencies = [];

function numberAfter(text, name) {
  const found = text.indexOf(name);
  if (found === -1) return -1;
  let value = 0;
  for (let at = found + name.length; text[at] >= 48 && text[at] <= 57; at += 1)
    value = value * 10 + text[at] - 48;
  return value;
}

class Client {
  constructor(job, urls, at) {
    Object.assign(this, { job, urls, at, last: 0, lastId: -1, facts: 0, gaps: 0, twice: 0, returns: 0 });
  }

  connect() {
    return new Promise((resolve) => {
      openSocket(this.urls[this.at], {
        onText: (text, send) => this.take(text, send, resolve),
        onDown: () => {
          this.returns += 1;
          this.at = (this.at + 1) % this.urls.length;
          setTimeout(() => void this.connect(), Math.random() * RETURN_MS);
        },
      });
    });
  }

  take(text, send, subscribed) {
    if (text[0] === 52 && text[1] === 50) this.fact(text);
    else if (text[0] === 48)
      send(`40${this.pid ? JSON.stringify({ pid: this.pid, offset: this.offset }) : ''}`);
    else if (text[0] === 52 && text[1] === 51) subscribed();
    else if (text[0] === 52 && text[1] === 48) {
      const { pid } = JSON.parse(text.toString().slice(2));
      // A recovered connection is in its rooms again.
      if (this.pid !== undefined && this.pid === pid) return subscribed();
      this.pid = pid;
      const known = this.lastId === -1 ? {} : { last_event_id: String(this.lastId) };
      send(`420["subscribe",${JSON.stringify({ job_id: this.job, ...known })}]`);
    }
    return undefined;
  }

  fact(text) {
    const published = numberAfter(text, PUBLISHED);
    if (published === -1 || !text.includes(DURABLE)) return;
    const seq = numberAfter(text, SEQ);
    latencies.push(Number(process.hrtime.bigint() / 1000n) - published);
    this.facts += 1;
    if (seq <= this.last) this.twice += 1;
    else if (numberAfter(text, PREVIOUS) !== this.last) this.gaps += 1;
    this.last = Math.max(this.last, seq);
    this.lastId = numberAfter(text, EVENT_ID);
    if (this.pid) this.offset = /,"([^"]+)"\]$/.exec(text.toString('latin1', text.length - 40))?.[1];
  }
}

const at = (sorted, share) =>
  (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0) / 1000;

const actions = {
  async connect({ urls, jobs, sockets, toFirst = false }) {
    const all = Array.from(
      { length: sockets },
      (_, i) =>
        new Client(jobs[Math.floor(i / (sockets / jobs.length))], urls, toFirst ? 0 : i % urls.length),
    );
    clients.push(...all);
    for (let from = 0; from < all.length; from += AT_ONCE) {
      await Promise.all(all.slice(from, from + AT_ONCE).map((client) => client.connect()));
    }
    return { connected: all.length };
  },
  async reset() {
    latencies = [];
    for (const client of clients) Object.assign(client, { facts: 0, gaps: 0, twice: 0 });
    return {};
  },
  async report() {
    const sorted = Float64Array.from(latencies).sort();
    const sum = (of) => clients.reduce((total, client) => total + of(client), 0);
    return {
      deliveries: sorted.length,
      p50Ms: at(sorted, 0.5),
      p99Ms: at(sorted, 0.99),
      gaps: sum(({ gaps }) => gaps),
      twice: sum(({ twice }) => twice),
      returned: clients.filter(({ returns }) => returns > 0).length,
      whole: clients.filter(({ gaps, twice }) => gaps === 0 && twice === 0).length,
      last: Object.fromEntries(clients.map(({ job, last }) => [job, last])),
      least: Math.min(...clients.map(({ facts }) => facts)),
    };
  },
};

process.on('message', async (message) => {
  const [name] = Object.keys(message);
  process.send(await actions[name](message[name]));
});
process.on('disconnect', () => process.exit(0));
process.send({ ready: true });
