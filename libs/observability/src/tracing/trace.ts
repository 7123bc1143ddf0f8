import {
  type Attributes,
  type Context,
  context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';

/** Whether somebody collects: without that nothing below does anything but its work. */
let isOn = false;
export const tracingIsOn = (): void => {
  isOn = true;
};

export interface SpanOptions {
  kind?: 'server' | 'client' | 'producer' | 'consumer';
  /** Of another process, from its `traceparent`; without it the span belongs to the one that is open here. */
  parent?: string | undefined;
}

const KINDS = {
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
};

/** `work` as a span of the trace; what it throws is the span's error, and goes on. */
export async function traced<T>(
  name: string,
  attributes: Attributes,
  work: () => Promise<T>,
  options: SpanOptions = {},
): Promise<T> {
  if (!isOn) return work();
  const { span, within } = open(name, attributes, options);
  try {
    return await context.with(within, work);
  } catch (error) {
    span.recordException(error instanceof Error ? error : String(error));
    span.setStatus({ code: SpanStatusCode.ERROR });
    throw error;
  } finally {
    span.end();
  }
}

export interface OpenSpan {
  /** What `work` does belongs to the span. */
  within: (work: () => void) => void;
  end: (attributes: Attributes, failed: boolean) => void;
}

/** A span whose end is told by an event. Null while nobody collects. */
export function beginSpan(name: string, attributes: Attributes, options: SpanOptions = {}): OpenSpan | null {
  if (!isOn) return null;
  const { span, within } = open(name, attributes, options);
  return {
    within: (work) => context.with(within, work),
    end(rest, failed) {
      span.setAttributes(rest);
      if (failed) span.setStatus({ code: SpanStatusCode.ERROR });
      span.end();
    },
  };
}

/** The open span for another process, in the W3C's words; undefined where there is none. */
export function traceparent(): string | undefined {
  if (!isOn) return undefined;
  const carrier: Record<string, string> = {};
  propagation.inject(context.active(), carrier);
  return carrier.traceparent;
}

/** For the log. */
export function traceIdNow(): string | undefined {
  return isOn ? trace.getSpanContext(context.active())?.traceId : undefined;
}

function open(
  name: string,
  attributes: Attributes,
  { kind, parent }: SpanOptions,
): { span: Span; within: Context } {
  const from =
    parent === undefined ? context.active() : propagation.extract(ROOT_CONTEXT, { traceparent: parent });
  const options = { attributes, ...(kind === undefined ? {} : { kind: KINDS[kind] }) };
  const span = trace.getTracer('sluice').startSpan(name, options, from);
  return { span, within: trace.setSpan(from, span) };
}
