import { Random } from './random.js';

export const MAX_CHUNK = 16_384;
export const MAX_FILE = 300_000;

/** How a piece is sent; all but `whole` must never be confirmed as they are. */
export type How =
  | 'whole'
  /** The connection is destroyed in the middle of the body. */
  | 'cut'
  /** Half-closed with fewer bytes than were announced. */
  | 'short'
  /** More bytes than were announced, so that the rest looks like another request. */
  | 'long'
  /** The hash of other bytes. */
  | 'wrong-hash'
  /** Other bytes than the file has, with their own hash. */
  | 'other'
  /** Partly behind the file's end. */
  | 'beyond'
  /** By index: an inner chunk of another size than the rest. */
  | 'wrong-size'
  /** By index: another number of chunks. */
  | 'wrong-total';

export interface Send {
  do: 'send';
  via: 'bytes' | 'form';
  how: How;
  from: number;
  to: number;
  /** By index only. */
  index: number;
  /** Which upload process is asked. */
  process: number;
  /** Part of the body that goes out before it is cut. */
  part: number;
}

export type Step = Send | { do: 'complete' | 'look' | 'cancel'; process: number };

export interface Plan {
  name: string;
  size: number;
  /** What is said of the file's hash when the session is opened. */
  promise: 'none' | 'right' | 'wrong';
  /** Who opens the session: JSON with the file's size, or the first chunk by index. */
  opens: 'json' | 'form';
  /** Of chunks by index. */
  chunkSize: number;
  /** Requests at once. */
  lanes: number;
  steps: Step[];
  /** Pieces do not all lie on one grid, so that good bytes may meet what is confirmed already. */
  strays: boolean;
}

export type Door = 'bytes' | 'form' | 'both';

const BAD: Record<Send['via'], How[]> = {
  bytes: ['cut', 'cut', 'short', 'long', 'wrong-hash', 'wrong-hash', 'other', 'beyond'],
  form: ['cut', 'cut', 'short', 'other', 'wrong-size', 'wrong-total'],
};

/** A case of the property test; the same seed and number make the same one. */
export function planOf(seed: number, number: number, door: Door): Plan {
  const random = new Random(Math.imul(seed, 0x9e3779b1) + number);
  const size = random.chance(0.2) ? random.between(24, 400) : random.between(400, 90_000);
  const least = Math.max(16, Math.ceil(size / 9));
  const chunkSize = random.between(least, Math.max(least, Math.min(MAX_CHUNK, size)));
  const strays = door === 'both' || (door === 'bytes' && random.chance(0.3));
  const grid = door === 'form' ? byIndex(size, chunkSize) : byOffset(random, size);
  const good = random.shuffle(door === 'both' ? [...grid, ...byIndex(size, chunkSize)] : grid);
  const send = (piece: Piece, how: How): Send => ({
    do: 'send',
    ...piece,
    how,
    process: random.between(0, 1),
    part: random.next(),
  });
  const steps: Step[] = good.flatMap((piece) => {
    const twice = random.chance(0.15) ? [send(piece, 'whole')] : [];
    const bad = random.chance(0.3) ? [send(piece, random.pick(BAD[piece.via]))] : [];
    const first = random.chance(0.9) ? [send(piece, 'whole')] : [];
    return [...bad, ...first, ...twice];
  });
  const insert = (step: Step) => steps.splice(random.between(0, steps.length), 0, step);
  if (strays)
    for (let left = random.between(1, 3); left > 0; left -= 1) insert(send(anywhere(random, size), 'whole'));
  if (random.chance(0.3)) insert({ do: 'complete', process: random.between(0, 1) });
  if (random.chance(0.2)) insert({ do: 'look', process: random.between(0, 1) });
  if (random.chance(0.1)) insert({ do: 'cancel', process: random.between(0, 1) });
  return {
    name: `${seed}-${number}-${door}`,
    size,
    promise: random.pick(['none', 'none', 'right', 'right', 'wrong']),
    opens: door !== 'bytes' && random.chance(0.6) ? 'form' : 'json',
    chunkSize,
    lanes: random.pick([1, 2, 4, 8]),
    steps,
    strays,
  };
}

export type Piece = Pick<Send, 'via' | 'from' | 'to' | 'index'>;

function byOffset(random: Random, size: number): Piece[] {
  const pieces: Piece[] = [];
  const most = Math.min(MAX_CHUNK, Math.max(1, Math.ceil(size / random.between(1, 6))));
  for (let from = 0; from < size; ) {
    const to = Math.min(size, from + random.between(Math.ceil(most / 2), most));
    pieces.push({ via: 'bytes', from, to, index: 0 });
    from = to;
  }
  return pieces;
}

export function byIndex(size: number, chunkSize: number): Piece[] {
  return Array.from({ length: Math.ceil(size / chunkSize) }, (_, index) => ({
    via: 'form',
    index,
    from: index * chunkSize,
    to: Math.min(size, (index + 1) * chunkSize),
  }));
}

function anywhere(random: Random, size: number): Piece {
  const from = random.between(0, size - 1);
  return { via: 'bytes', from, to: random.between(from + 1, Math.min(size, from + MAX_CHUNK)), index: 0 };
}
