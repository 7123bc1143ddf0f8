/** What a service counts now: sums the samples of a metric that have these labels. */
export async function readMetrics(
  url: string,
): Promise<(name: string, labels?: Record<string, string>) => number> {
  const response = await fetch(`${url}/metrics`);
  if (!response.ok) throw new Error(`${url}/metrics answers ${response.status}`);
  const samples = [...(await response.text()).matchAll(/^(\w+)(?:\{(.*)\})? (\S+)$/gm)];
  return (name, labels = {}) =>
    samples
      .filter(([, of, given]) => of === name && Object.entries(labels).every((l) => given?.includes(text(l))))
      .reduce((sum, [, , , value]) => sum + Number(value), 0);
}

const text = ([label, value]: [string, string]) => `${label}="${value}"`;
