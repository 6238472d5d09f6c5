/** The log of the parts that run inside `tonearm up`: JSON lines in a file, so that the console stays readable. */
import { closeSync, mkdirSync, openSync, renameSync, statSync, writeSync } from 'node:fs';
import path from 'node:path';
import type { LogFields, Logger } from '@tonearm/runtime/foundation';

const SIZE_MAX = 10 * 1024 * 1024;

export class FileLog {
  readonly #descriptor: number;

  private constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  /** Goes on with the file of the last run; a large one is set aside first. */
  static open(file: string): FileLog {
    mkdirSync(path.dirname(file), { recursive: true });
    const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
    if (size > SIZE_MAX) renameSync(file, file.replace(/\.log$/, '.previous.log'));
    return new FileLog(openSync(file, 'a', 0o600));
  }

  logger(fields: LogFields = {}): Logger {
    const write = (level: string) => (own: LogFields, message: string) => {
      this.#write({ level, time: new Date().toISOString(), ...fields, ...own, msg: message });
    };
    return {
      debug: () => undefined,
      info: write('info'),
      warn: write('warn'),
      error: write('error'),
      child: (more) => this.logger({ ...fields, ...more }),
    };
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  #write(line: LogFields): void {
    writeSync(this.#descriptor, `${JSON.stringify(line, renderError)}\n`);
  }
}

function renderError(_key: string, value: unknown): unknown {
  if (!(value instanceof Error)) return value;
  return { type: value.name, message: value.message, stack: value.stack, cause: value.cause };
}
