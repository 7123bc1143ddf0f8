import type { LoggerService } from '@nestjs/common';
import { type Logger, pino } from 'pino';
import { idsNow } from './ids.js';
import { traceIdNow } from './tracing/trace.js';

/** JSON lines on stdout: `service`, `level`, `time`, `msg`, the ids of the request or queue entry, and those that the caller gives. */
export function createLogger(service: string, level: string): Logger {
  return pino({
    level,
    base: { service },
    timestamp: pino.stdTimeFunctions.isoTime,
    // What a line says itself stands above what is known of the request.
    mixin: () => {
      const traceId = traceIdNow();
      return traceId === undefined ? idsNow() : { ...idsNow(), trace_id: traceId };
    },
    mixinMergeStrategy: (line, ids) => ({ ...ids, ...line }),
    formatters: { level: (label) => ({ level: label }) },
    redact: ['req.headers.authorization', 'req.headers.cookie', '*.secret'],
  });
}

/** Nest's own messages through the same logger; what only says that Nest started is debug. */
export class NestLogger implements LoggerService {
  constructor(private readonly logger: Logger) {}

  log(message: unknown, context?: string): void {
    this.logger.debug({ context }, String(message));
  }
  warn(message: unknown, context?: string): void {
    this.logger.warn({ context }, String(message));
  }
  error(message: unknown, stack?: string, context?: string): void {
    this.logger.error({ context, stack }, String(message));
  }
  debug(message: unknown, context?: string): void {
    this.logger.trace({ context }, String(message));
  }
  verbose(message: unknown, context?: string): void {
    this.logger.trace({ context }, String(message));
  }
}

/** A client's file name as it may stand in a log line: no control characters, at most 80 characters (S2-06). */
export function forLog(name: string): string {
  const clean = name.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '?');
  return clean.length > 80 ? `${clean.slice(0, 77)}...` : clean;
}

export type { Logger };
