import { METRICS } from '#observability';

/** Of the Node process and of Prometheus itself, with the labels that a scrape adds. */
const FOREIGN = /^(up|process_(cpu_seconds_total|resident_memory_bytes)|nodejs_eventloop_lag_p99_seconds)$/;
const ADDED = new Set(['job', 'instance', 'le']);
const WORDS = new Set([
  ...['sum', 'max', 'min', 'avg', 'by', 'rate', 'increase', 'absent', 'histogram_quantile', 'and', 'or'],
  ...['le', 'job', 'instance', '__rate_interval', 'on', 'unless'],
]);

type Described = { kind: string; labels?: Record<string, readonly string[]> | readonly string[] };

/**
 * What is wrong with an expression, as far as the catalogue tells: metrics that are not there, labels that they
 * have not got, values that a label never has, a suffix that does not fit, parentheses that do not close.
 */
export function problemsOf(expression: string): string[] {
  const problems: string[] = [];
  if (!closes(expression)) problems.push('its brackets do not close');
  const bare = expression.replace(/"[^"]*"/g, '""');
  const grouped = [...bare.matchAll(/\bby\s*\(([^)]*)\)/g)].flatMap(([, list]) => list!.split(/,\s*/));
  for (const [, name, selectors = ''] of expression.matchAll(/([a-z_][a-z0-9_]*)(?:\{([^}]*)\})/g))
    problems.push(...selectorProblems(name!, selectors));
  for (const name of namesIn(bare)) if (!describe(name)) problems.push(`${name} is no metric of ours`);
  const known = namesIn(bare).flatMap((name) => labelsOf(name));
  for (const label of grouped)
    if (!ADDED.has(label) && !known.includes(label))
      problems.push(`it groups by ${label}, which nothing has`);
  return problems;
}

/** Metrics that an expression reads. */
export function namesIn(expression: string): string[] {
  const bare = expression
    .replace(/"[^"]*"/g, '')
    .replace(/\{[^}]*\}/g, '')
    .replace(/\bby\s*\([^)]*\)/g, '');
  const words = [...bare.matchAll(/[a-z_][a-z0-9_]*/g)].map(([word]) => word);
  // Durations like 10m leave their unit.
  return [...new Set(words.filter((word) => !WORDS.has(word) && word.length > 1))];
}

/** The catalogue's name, without a histogram's suffix. */
export function baseName(name: string): string {
  const base = name.replace(/_(bucket|sum|count)$/, '');
  return (METRICS as Record<string, Described>)[base]?.kind === 'histogram' ? base : name;
}

function describe(name: string): Described | 'foreign' | undefined {
  if (FOREIGN.test(name)) return 'foreign';
  const metric = (METRICS as Record<string, Described>)[baseName(name)];
  if (metric?.kind === 'histogram' && baseName(name) === name) return undefined;
  return metric;
}

function labelsOf(name: string): string[] {
  const metric = describe(name);
  if (metric === undefined || metric === 'foreign') return [];
  const { labels = [] } = metric;
  return Array.isArray(labels) ? [...labels] : Object.keys(labels);
}

function selectorProblems(name: string, selectors: string): string[] {
  const metric = describe(name);
  if (metric === undefined) return [`${name} is no metric of ours`];
  return [...selectors.matchAll(/(\w+)\s*(=~|!=|!~|=)\s*"([^"]*)"/g)].flatMap(([, label, operator, text]) => {
    if (ADDED.has(label!)) return [];
    if (!labelsOf(name).includes(label!)) return [`${name} has no label ${label}`];
    const values = metric === 'foreign' || Array.isArray(metric.labels) ? undefined : metric.labels;
    const of = (values as Record<string, readonly string[]> | undefined)?.[label!];
    if (!of) return [];
    const wanted = operator!.includes('~') ? text!.split('|') : [text!];
    return wanted
      .filter((value) => !of.includes(value))
      .map((value) => `${label} of ${name} is never ${value}`);
  });
}

function closes(expression: string): boolean {
  const open: string[] = [];
  const pairs: Record<string, string> = { ')': '(', ']': '[', '}': '{' };
  for (const character of expression.replace(/"[^"]*"/g, '')) {
    if ('([{'.includes(character)) open.push(character);
    else if (character in pairs && open.pop() !== pairs[character]) return false;
  }
  return open.length === 0;
}
