import { sha256 } from '../support.js';
import { judge } from './judge.js';
import { byIndex, MAX_CHUNK, type Plan, type Send, type Step } from './plan.js';
import { fileOf } from './random.js';
import { form, json, type Outgoing, type Reply, send } from './wire.js';

export interface Client {
  uploads: string[];
  /** Processes are killed meanwhile: a request may go unanswered, and is then asked again. */
  kills: boolean;
  /** Resolves when every process that was killed answers again. */
  back: () => Promise<unknown>;
  /** Requests so far. */
  requests: number;
}

/** What a case has seen so far. */
export interface Case {
  plan: Plan;
  file: Buffer;
  /** Null until the session is open. */
  id: string | null;
  /** Confirmed as the file's own bytes, as `from-to`, since the last time all of it was dropped. */
  confirmed: Map<string, Send>;
  cancelled: boolean;
  /** How often the promised hash did not match. */
  mismatches: number;
  status: string;
  /** Steps with their answers, for a person who has to find out. */
  log: string[];
  problems: string[];
}

interface Looked {
  status: string;
  size: number | null;
  missing: [number, number][];
}

const ROUNDS = 12;

/** Walks through a plan as a client does that ends by sending what is missing; all its requests have ended then. */
export async function run(plan: Plan, client: Client): Promise<Case> {
  const file = fileOf(plan.name, plan.size);
  const seen: Case = {
    ...{ plan, file, id: null, confirmed: new Map(), cancelled: false, mismatches: 0, status: 'active' },
    ...{ log: [], problems: [] },
  };
  try {
    await open(seen, client);
    if (seen.id === null) return seen;
    const left = [...plan.steps];
    const lane = async () => {
      for (let step = left.shift(); step; step = left.shift()) await perform(seen, client, step);
    };
    await Promise.all(Array.from({ length: plan.lanes }, lane));
    await finish(seen, client);
  } catch (error) {
    seen.problems.push(String(error));
  }
  return seen;
}

async function open(seen: Case, client: Client): Promise<void> {
  const { plan } = seen;
  const opener = plan.steps.find(
    (step): step is Send => step.do === 'send' && step.how === 'whole' && step.via === 'form',
  );
  for (let round = 0; round < ROUNDS; round += 1) {
    const reply =
      plan.opens === 'form' && opener
        ? await ask(seen, client, opener, byForm(seen, opener))
        : await ask(seen, client, { do: 'look', process: round }, asJson(seen));
    // A file of one chunk: its session began and ended with this request.
    if (reply.code === 'file_hash_mismatch' && plan.promise === 'wrong') {
      seen.status = 'failed';
      return;
    }
    if (reply.status >= 400 && reply.status !== 503)
      throw new Error(`not opened: ${reply.status} ${reply.code}`);
    const data = reply.body.data as { session_id: string; status: string } | undefined;
    if (!data) {
      await client.back();
      continue;
    }
    Object.assign(seen, { id: data.session_id, status: data.status });
    if (plan.opens === 'form' && opener) seen.confirmed.set(`${opener.from}-${opener.to}`, opener);
    return;
  }
  throw new Error('not opened');
}

function asJson(seen: Case): Outgoing {
  const { plan } = seen;
  const request = { filename: `${plan.name}.mp4`, size: plan.size, ...promiseOf(seen) };
  return { method: 'POST', path: '/v1/upload/video/session', ...json(request) };
}

function promiseOf({ plan, file }: Case): { file_hash?: string } {
  if (plan.promise === 'none') return {};
  return { file_hash: plan.promise === 'right' ? sha256(file) : sha256(Buffer.from(plan.name)) };
}

export async function perform(seen: Case, client: Client, given: Step): Promise<Reply> {
  const step = feasible(seen, given);
  const outgoing = toRequest(seen, step);
  const before = { confirmed: new Map(seen.confirmed), cancelled: seen.cancelled };
  const reply = await ask(seen, client, step, outgoing);
  const problem = judge(seen, client, step, reply, before);
  if (problem) seen.problems.push(`${seen.log.at(-1)}: ${problem}`);
  if (reply.code === 'file_hash_mismatch') {
    seen.mismatches += 1;
    seen.confirmed.clear();
  }
  const data = reply.body.data as { status?: string } | undefined;
  if (data?.status === 'completed' && seen.status === 'active') seen.status = 'completed';
  if (step.do === 'cancel' && reply.status === 200)
    Object.assign(seen, { cancelled: true, status: 'cancelled' });
  if (step.do === 'send' && step.how === 'whole' && reply.status === 200) {
    // Where a mismatch was told meanwhile, this answer may be older than it.
    if (seen.mismatches === 0) seen.confirmed.set(`${step.from}-${step.to}`, step);
  }
  return reply;
}

async function ask(seen: Case, client: Client, step: Step, outgoing: Outgoing): Promise<Reply> {
  const { uploads } = client;
  client.requests += 1;
  const at = seen.log.push('') - 1;
  const reply = await send(uploads[step.process % uploads.length]!, outgoing);
  const { process, ...shown } = step;
  const said = (reply.body.data as { written?: boolean; status?: string } | undefined) ?? {};
  seen.log[at] = `${JSON.stringify(shown)} @${process} → ${reply.status} ${reply.code} ${JSON.stringify({
    ...(said.written === undefined ? {} : { written: said.written }),
    ...(said.status === undefined ? {} : { status: said.status }),
  })}`;
  return reply;
}

function toRequest(seen: Case, step: Step): Outgoing {
  const path = `/v1/upload/video/session/${seen.id}`;
  if (step.do === 'send') return step.via === 'form' ? byForm(seen, step) : byOffset(seen, step);
  if (step.do === 'complete') return { method: 'POST', path: `${path}/complete` };
  return { method: step.do === 'look' ? 'GET' : 'DELETE', path };
}

/** So many first bytes say that it is a video; with others there the session ends. */
const MAGIC_BYTES = 12;

/**
 * A fault that would now be a file of its own is sent as good bytes: other bytes at a place that is
 * free, unless a promise will find them out, or in the magic number; another size or number of chunks
 * while none is known.
 */
function feasible({ plan, confirmed }: Case, step: Step): Step {
  if (step.do !== 'send') return step;
  const last = Math.ceil(plan.size / plan.chunkSize) - 1;
  const indexed = [...confirmed.values()].filter((other) => other.via === 'form');
  const innerKnown = indexed.some((other) => other.index < last) && step.index < last && plan.chunkSize > 1;
  const possible =
    (step.how !== 'other' || step.to > MAGIC_BYTES) &&
    (step.how !== 'other' || plan.promise !== 'none' || confirmed.has(`${step.from}-${step.to}`)) &&
    (step.how !== 'wrong-total' || indexed.length > 0) &&
    (step.how !== 'wrong-size' || innerKnown);
  return possible ? step : { ...step, how: 'whole' };
}

function changed(bytes: Buffer): Buffer {
  const other = Buffer.from(bytes);
  other.writeUInt8(other.readUInt8(other.length - 1) ^ 0xff, other.length - 1);
  return other;
}

function byOffset(seen: Case, step: Send): Outgoing {
  const right = seen.file.subarray(step.from, step.to);
  const body = {
    ...{
      whole: right,
      cut: right,
      short: right,
      'wrong-hash': right,
      'wrong-size': right,
      'wrong-total': right,
    },
    long: Buffer.concat([right, Buffer.from('\u0000more')]),
    other: changed(right),
    beyond: Buffer.concat([right, Buffer.alloc(Math.max(1, seen.file.length - step.to + 1))]),
  }[step.how];
  const hash = sha256(step.how === 'wrong-hash' ? changed(right) : body);
  return {
    method: 'PUT',
    path: `/v1/upload/video/session/${seen.id}/bytes/${step.from}`,
    headers: { 'content-type': 'application/octet-stream', 'x-content-sha256': hash },
    body,
    ...broken(step, body, right.length),
  };
}

function broken(step: Send, body: Buffer, right: number): Pick<Outgoing, 'cutAfter' | 'announce'> {
  if (step.how === 'cut') return { cutAfter: Math.floor(step.part * body.length) };
  if (step.how === 'short') return { announce: body.length + 1 + Math.floor(step.part * 200) };
  return step.how === 'long' ? { announce: right } : {};
}

function byForm(seen: Case, step: Send): Outgoing {
  const { plan, id } = seen;
  const total = Math.ceil(plan.size / plan.chunkSize);
  const right = seen.file.subarray(step.from, step.to);
  const file = {
    ...{
      whole: right,
      cut: right,
      short: right,
      long: right,
      'wrong-hash': right,
      beyond: right,
      'wrong-total': right,
    },
    'wrong-size': right.subarray(0, -1),
    other: changed(right),
  }[step.how];
  const { headers, body } = form(
    `${plan.name}.mp4`,
    {
      ...(id === null ? promiseOf(seen) : { session_id: id }),
      chunk_index: String(step.index),
      total_chunks: String(step.how === 'wrong-total' ? total + 1 : total),
    },
    file,
  );
  return { method: 'POST', path: '/v1/upload/video', headers, body, ...broken(step, body, body.length) };
}

/** Asks what is missing and sends it, until the session has ended or its promise is known to be wrong. */
async function finish(seen: Case, client: Client): Promise<void> {
  const { plan } = seen;
  for (let round = 0; round < ROUNDS * (client.kills ? 3 : 1); round += 1) {
    const looked = await perform(seen, client, { do: 'look', process: round % 2 });
    const data = looked.body.data as Looked | undefined;
    if (!data) {
      await client.back();
      continue;
    }
    seen.status = data.status;
    // The answer to it may have been lost with its process.
    if (data.status === 'cancelled') seen.cancelled = true;
    if (data.status !== 'active') return;
    const lost = keepsPromise(plan) ? lostOf(seen, data.missing) : [];
    if (lost.length > 0) seen.problems.push(`confirmed and missing: ${lost.join(', ')}`);
    if (plan.promise === 'wrong' && seen.mismatches > 0 && String(data.missing) === `0,${plan.size}`) return;
    const sends = missingSends(plan, data);
    const replies = await Promise.all(sends.map((piece) => perform(seen, client, piece)));
    const told = replies.some((reply) => reply.code === 'file_hash_mismatch');
    if (!told) await perform(seen, client, { do: 'complete', process: round % 2 });
  }
  seen.problems.push('the session did not come to an end');
}

function missingSends(plan: Plan, { size, missing }: Looked): Send[] {
  const whole = { do: 'send', how: 'whole', process: 0, part: 0 } as const;
  if (plan.opens === 'form' && (size === null || !plan.strays)) {
    return byIndex(plan.size, plan.chunkSize)
      .filter(
        (piece) => missing.length === 0 || missing.some(([from, to]) => piece.from < to && from < piece.to),
      )
      .map((piece) => ({ ...whole, ...piece, process: piece.index % 2 }));
  }
  return missing.flatMap(([start, end]) => {
    const sends: Send[] = [];
    for (let from = start; from < end; from += MAX_CHUNK) {
      const to = Math.min(end, from + MAX_CHUNK);
      sends.push({ ...whole, via: 'bytes', from, to, index: 0, process: sends.length % 2 });
    }
    return sends;
  });
}

/** No answer can have dropped what was confirmed. */
const keepsPromise = ({ promise, steps }: Plan) =>
  promise === 'none' ||
  (promise === 'right' && !steps.some((step) => step.do === 'send' && step.how === 'other'));

const lostOf = ({ confirmed }: Case, missing: [number, number][]): string[] =>
  [...confirmed]
    .filter(([, chunk]) => missing.some(([from, to]) => from < chunk.to && chunk.from < to))
    .map(([range]) => range);
