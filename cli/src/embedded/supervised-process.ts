/** A program that must run for as long as we do: it is started again whenever it ends. */
import type { Clock } from '@tonearm/runtime/foundation';
import type { HostedProcess, ProcessHost, ProcessSpec } from './node/processes/process-host.ts';

/** Long enough not to spin on a program that cannot start, short enough for leases to survive. */
const RESTART_DELAY_MS = 500;

export interface SupervisedOptions {
  readonly name: string;
  readonly spec: ProcessSpec;
  readonly host: ProcessHost;
  readonly clock: Clock;
  onNotice(notice: string): void;
}

export class SupervisedProcess {
  readonly #options: SupervisedOptions;
  readonly #stopping = new AbortController();
  readonly #ended: Promise<void>;
  #running: HostedProcess | undefined;

  private constructor(options: SupervisedOptions) {
    this.#options = options;
    this.#ended = this.#run();
  }

  static start(options: SupervisedOptions): SupervisedProcess {
    return new SupervisedProcess(options);
  }

  /** Ends it, the hard way after the grace. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping.abort();
    this.#running?.terminate();
    const waiting = new AbortController();
    const ended = this.#ended.then(() => {
      waiting.abort();
    });
    try {
      await this.#options.clock.sleep(graceMs, waiting.signal);
      this.kill();
    } catch {
      // It has ended in time.
    }
    await ended;
  }

  kill(): void {
    this.#running?.kill();
  }

  #isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  async #run(): Promise<void> {
    const { name, spec, host, clock } = this.#options;
    while (!this.#isStopping()) {
      this.#running = host.start(spec);
      const exit = await this.#running.exited;
      if (this.#isStopping()) return;
      const cause = exit.error?.message ?? exit.signal ?? `exit code ${exit.exitCode}`;
      this.#options.onNotice(
        `the ${name} ended (${cause}) and is started again; its log is ${spec.logFile}`,
      );
      try {
        await clock.sleep(RESTART_DELAY_MS, this.#stopping.signal);
      } catch {
        // Stopped meanwhile.
      }
    }
  }
}
