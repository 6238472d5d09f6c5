/**
 * Starts processes that never outlive this one. Each is the head of a process group of its own, so that Ctrl-C in
 * a terminal reaches only us and the order of stopping is ours, and so that a kill takes all of its children.
 *
 * If we are killed, a watchdog ends the groups; if that is killed as well, the next start does, by a record of
 * process ids and start times.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { processStartTime } from './start-time.ts';

export interface ProcessSpec {
  readonly command: string;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly directory: string;
  /** Both output streams go here; the file of an earlier run is kept beside it, as `.previous.log`. */
  readonly logFile: string;
}

export interface ProcessExit {
  readonly exitCode: number;
  readonly signal: NodeJS.Signals | undefined;
  readonly error: Error | undefined;
}

export interface HostedProcess {
  readonly pid: number | undefined;
  readonly exited: Promise<ProcessExit>;
  /** The process itself gets SIGTERM, as in a container. */
  terminate(): void;
  /** The whole group gets SIGKILL. */
  kill(): void;
}

interface ProcessRecord {
  readonly pid: number;
  readonly startTime: string;
}

/** A child sees these of our environment, and nothing else: a container would not see even them. */
const INHERITED = [
  'PATH',
  'HOME',
  'TMPDIR',
  'TZ',
  'LANG',
  'UV_THREADPOOL_SIZE',
  'NODE_COMPILE_CACHE',
  'NODE_V8_COVERAGE',
];

export class ProcessHost {
  readonly #recordFile: string;
  readonly #records = new Map<number, ProcessRecord>();
  readonly #watchdog: ChildProcess;

  private constructor(recordFile: string, watchdog: ChildProcess) {
    this.#recordFile = recordFile;
    this.#watchdog = watchdog;
  }

  /** Ends what an earlier run left behind, then is ready to start processes. */
  static open(directory: string): ProcessHost {
    mkdirSync(directory, { recursive: true });
    const recordFile = path.join(directory, 'processes.json');
    endLeftovers(recordFile);
    const script = path.join(import.meta.dirname, `watchdog${path.extname(import.meta.filename)}`);
    const watchdog = spawn(process.execPath, [script], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    });
    // Writing to a watchdog that was killed is not our end; the record still protects us.
    watchdog.stdin.on('error', () => undefined);
    watchdog.on('error', () => undefined);
    watchdog.unref();
    return new ProcessHost(recordFile, watchdog);
  }

  start(spec: ProcessSpec): HostedProcess {
    const log = openLog(spec.logFile);
    const child = spawn(spec.command, spec.args, {
      cwd: spec.directory,
      env: { ...inheritedEnvironment(), ...spec.environment },
      stdio: ['ignore', log, log],
      detached: true,
    });
    closeSync(log);
    const { pid } = child;
    if (pid !== undefined) this.#add(pid);
    const exited = exitOf(child).then((exit) => {
      // What the process started has no place without it, as in a container.
      if (pid !== undefined) signalGroup(pid, 'SIGKILL');
      if (pid !== undefined) this.#remove(pid);
      return exit;
    });
    return {
      pid,
      exited,
      terminate: () => child.kill('SIGTERM'),
      kill: () => {
        if (pid !== undefined && this.#records.has(pid)) signalGroup(pid, 'SIGKILL');
      },
    };
  }

  /** All processes must have ended before. */
  async close(): Promise<void> {
    const gone = new Promise<void>((resolve) => {
      if (this.#watchdog.exitCode !== null || this.#watchdog.signalCode !== null) resolve();
      else this.#watchdog.once('exit', () => resolve());
    });
    this.#watchdog.ref();
    this.#watchdog.stdin?.end();
    await gone;
  }

  #add(pid: number): void {
    this.#records.set(pid, { pid, startTime: processStartTime(pid) ?? '' });
    this.#watchdog.stdin?.write(`+${pid}\n`);
    this.#save();
  }

  #remove(pid: number): void {
    this.#records.delete(pid);
    this.#watchdog.stdin?.write(`-${pid}\n`);
    this.#save();
  }

  #save(): void {
    const temporary = `${this.#recordFile}.new`;
    writeFileSync(temporary, JSON.stringify([...this.#records.values()]));
    renameSync(temporary, this.#recordFile);
  }
}

function openLog(file: string): number {
  mkdirSync(path.dirname(file), { recursive: true });
  if (existsSync(file)) renameSync(file, file.replace(/\.log$/, '.previous.log'));
  return openSync(file, 'a', 0o600);
}

function inheritedEnvironment(): Record<string, string> {
  const values: Record<string, string> = {};
  for (const name of INHERITED) {
    const value = process.env[name];
    if (value !== undefined) values[name] = value;
  }
  return values;
}

function exitOf(child: ChildProcess): Promise<ProcessExit> {
  return new Promise((resolve) => {
    child.once('error', (error) => {
      if (child.pid === undefined) resolve({ exitCode: 127, signal: undefined, error });
    });
    child.once('exit', (code, signal) => {
      const exit = { signal: signal ?? undefined, error: undefined };
      resolve({ exitCode: code ?? 128 + signalNumber(signal), ...exit });
    });
  });
}

function signalNumber(signal: NodeJS.Signals | null): number {
  const numbers: Partial<Record<NodeJS.Signals, number>> = {
    SIGHUP: 1,
    SIGINT: 2,
    SIGABRT: 6,
    SIGKILL: 9,
    SIGSEGV: 11,
    SIGTERM: 15,
  };
  return signal === null ? 0 : (numbers[signal] ?? 0);
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // No process of the group is left.
  }
}

function endLeftovers(recordFile: string): void {
  if (!existsSync(recordFile)) return;
  for (const record of parseRecords(readFileSync(recordFile, 'utf8'))) {
    const startTime = processStartTime(record.pid);
    if (startTime !== undefined && startTime === record.startTime) {
      signalGroup(record.pid, 'SIGKILL');
    }
  }
}

function parseRecords(text: string): readonly ProcessRecord[] {
  try {
    const records: unknown = JSON.parse(text);
    return Array.isArray(records) ? (records as ProcessRecord[]) : [];
  } catch {
    // Written with a rename, so only a damaged disk brings us here; there is nobody to end then.
    return [];
  }
}
