/** One process of a measured server: how it is started and ended, and what it used, from procfs: Linux only. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';

export interface Command {
  readonly file: string;
  readonly arguments: readonly string[];
  readonly environment?: NodeJS.ProcessEnv;
  /** Made when it does not exist. */
  readonly folder: string;
  readonly logFile: string;
}

/** Linux counts CPU time for user space in hundredths of a second, whatever the kernel's own tick is. */
const TICKS_PER_SECOND = 100;
const LOG_BYTES_SHOWN = 2000;

export class ServerProcess {
  readonly #child: ChildProcess;
  readonly #command: Command;
  readonly #ended: Promise<void>;

  private constructor(child: ChildProcess, command: Command) {
    this.#child = child;
    this.#command = command;
    this.#ended = new Promise((resolve) => {
      child.once('exit', () => resolve());
      child.once('error', () => resolve());
    });
  }

  static start(command: Command): ServerProcess {
    mkdirSync(command.folder, { recursive: true });
    const log = openSync(command.logFile, 'a');
    const child = spawn(command.file, command.arguments, {
      cwd: command.folder,
      stdio: ['ignore', log, log],
      ...(command.environment === undefined ? {} : { env: command.environment }),
    });
    closeSync(log);
    return new ServerProcess(child, command);
  }

  get pid(): number {
    if (this.#child.pid === undefined)
      throw new Error(`${this.#command.file} cannot be started; is it installed?`);
    return this.#child.pid;
  }

  get isRunning(): boolean {
    const { pid, exitCode, signalCode } = this.#child;
    return pid !== undefined && exitCode === null && signalCode === null;
  }

  /** Throws with the end of its log when it has ended by itself. */
  assertRunning(): void {
    if (this.isRunning) return;
    const log = readFileSync(this.#command.logFile, 'utf8').slice(-LOG_BYTES_SHOWN);
    throw new Error(`${this.#command.file} has ended by itself; the end of its log:\n${log}`);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Resolves when it has ended. */
  async end(signal: NodeJS.Signals): Promise<void> {
    if (this.isRunning) this.#child.kill(signal);
    await this.#ended;
  }
}

/** Of all its threads, and of children that have ended and were waited for. */
export function cpuSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The second field is the command in brackets and may hold anything; the state, the third, is the first here.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0) / TICKS_PER_SECOND;
}

export function residentBytesOf(pid: number): number {
  const kibibytes = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kibibytes) * 1024;
}

export function childrenOf(pid: number): readonly number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return text === '' ? [] : text.split(' ').map(Number);
}
