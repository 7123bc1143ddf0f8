import { tracingIsOn } from './trace.js';

export interface TracingSettings {
  /** Empty: nothing is traced, and nothing is loaded for it. */
  OTEL_EXPORTER_OTLP_ENDPOINT: string;
  OTEL_EXPORTER_OTLP_HEADERS: string;
  OTEL_TRACES_SAMPLER_ARG: number;
}

/** A collector that does not answer is no reason to stay longer. */
const END_WITHIN_MS = 2000;

/** Begins to trace this process where a collector is named; answers with how to send what is left and end. */
export async function openTracing(
  service: string,
  version: string,
  settings: TracingSettings,
): Promise<() => Promise<void>> {
  if (settings.OTEL_EXPORTER_OTLP_ENDPOINT === '') return async () => undefined;
  const { startCollector } = await import('./collector.js');
  const end = startCollector({
    ...{ service, version },
    endpoint: settings.OTEL_EXPORTER_OTLP_ENDPOINT,
    headers: headersIn(settings.OTEL_EXPORTER_OTLP_HEADERS),
    ratio: settings.OTEL_TRACES_SAMPLER_ARG,
  });
  tracingIsOn();
  return async () => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, END_WITHIN_MS);
    });
    await Promise.race([end().catch(() => undefined), late]);
    clearTimeout(timer);
  };
}

/** `name=value,name=value`, values percent-encoded, as the specification has it. */
function headersIn(text: string): Record<string, string> {
  const pairs = text.split(',').flatMap((part) => {
    const at = part.indexOf('=');
    if (at < 1) return [];
    return [[part.slice(0, at).trim(), decodeURIComponent(part.slice(at + 1).trim())] as const];
  });
  return Object.fromEntries(pairs);
}
