import pino from 'pino';

export type LogFields = Readonly<Record<string, unknown>>;

/** Structured log: constant messages, the variable parts as fields. */
export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  /** The same log with `fields` on every line. */
  child(fields: LogFields): Logger;
}

export interface LoggerOptions {
  readonly level: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  readonly fields?: LogFields;
}

/** JSON lines on standard output. Cookies, passwords and tokens are never given to it. */
export function createLogger(options: LoggerOptions): Logger {
  return pino(
    {
      level: options.level,
      base: options.fields ?? {},
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: pino.stdSerializers.err },
    },
    pino.destination({ dest: 1, sync: true }),
  );
}

const silence = (): void => undefined;

export const silentLogger: Logger = {
  debug: silence,
  info: silence,
  warn: silence,
  error: silence,
  child: () => silentLogger,
};
