const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const VALUES = new Map([...DIGITS].map((digit, value) => [digit, value]));

/**
 * A source map (JSON) without the sources that `isKept` refuses: what came from those has no source
 * then. Node reads the whole map of a bundle for its first stack trace, and packages are 95 % of it.
 */
export function keepSources(json, isKept) {
  const map = JSON.parse(json);
  const kept = map.sources.map((source) => isKept(source));
  const newIndex = [];
  kept.forEach((keeps, index) => {
    newIndex[index] = keeps ? newIndex.filter((_, before) => kept[before]).length : -1;
  });
  // Source, line, column, name: each segment has the difference to the one before, read and written apart.
  const read = [0, 0, 0, 0];
  const written = [0, 0, 0, 0];
  let inKept = false;
  const lines = map.mappings.split(';').map((line) => {
    const out = [];
    let column = 0;
    let writtenColumn = 0;
    for (const segment of line === '' ? [] : line.split(',')) {
      const [step, ...rest] = decode(segment);
      column += step;
      rest.forEach((difference, field) => {
        read[field] += difference;
      });
      const keeps = rest.length > 0 && kept[read[0]];
      // One segment without a source ends what was kept.
      if (!keeps && !inKept) continue;
      inKept = keeps;
      const fields = [column - writtenColumn];
      writtenColumn = column;
      if (keeps) {
        const values = [newIndex[read[0]], ...read.slice(1)];
        for (let field = 0; field < rest.length; field++) {
          fields.push(values[field] - written[field]);
          written[field] = values[field];
        }
      }
      out.push(fields.map(encode).join(''));
    }
    return out.join(',');
  });
  return JSON.stringify({
    ...map,
    sources: map.sources.filter((_, index) => kept[index]),
    mappings: lines.join(';'),
  });
}

/** Base-64 variable-length quantities: five bits a digit, lowest first, the lowest of all is the sign. */
function decode(segment) {
  const numbers = [];
  let number = 0;
  let shift = 0;
  for (const digit of segment) {
    const value = VALUES.get(digit);
    number |= (value & 31) << shift;
    shift += 5;
    if (value & 32) continue;
    numbers.push(number & 1 ? -(number >>> 1) : number >>> 1);
    number = 0;
    shift = 0;
  }
  return numbers;
}

function encode(number) {
  let rest = number < 0 ? (-number << 1) | 1 : number << 1;
  let text = '';
  do {
    const digit = rest & 31;
    rest >>>= 5;
    text += DIGITS[rest > 0 ? digit | 32 : digit];
  } while (rest > 0);
  return text;
}
