/**
 * Renews a lease in a thread, so that it goes on while the main loop is busy.
 *
 * News are messages, which are read at once when the hold is asked for, and not only when the main loop comes to them;
 * a counter in shared memory tells whether there are any. Each hold has its own thread, which is ended, not asked to
 * end: whatever it does, nothing is sent or published after that.
 */
import path from 'node:path';
import {
  MessageChannel,
  type MessagePort,
  receiveMessageOnPort,
  Worker,
} from 'node:worker_threads';
import type { StateProviderConfig } from '../contract/cluster-config.ts';
import type {
  LeaseRenewals,
  RenewalTarget,
  RenewalTask,
  StartedRenewals,
} from '../ports/lease-renewals.ts';
import { PublishedRenewals } from '../services/published-renewals.ts';
import type { RenewalNews } from '../services/renewal-loop.ts';
import { type ThreadData, ThreadMemory } from './thread-data.ts';

/** Enough for a client of etcd with its messages, several times. */
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 2, stackSizeMb: 1 };
/** As this file: from sources or from what was compiled. */
const THREAD_FILE = new URL(`./thread${path.extname(import.meta.url)}`, import.meta.url);

export class ThreadRenewals implements LeaseRenewals {
  readonly #provider: StateProviderConfig;

  constructor(provider: StateProviderConfig) {
    this.#provider = provider;
  }

  start(target: RenewalTarget): StartedRenewals {
    return new RenewalsInThread(this.#provider, target);
  }
}

class RenewalsInThread extends PublishedRenewals {
  readonly #memory = new ThreadMemory();
  readonly #port: MessagePort;
  readonly #worker: Worker;
  readonly #exited: Promise<void>;
  #seen = 0;
  #stopped: Promise<void> | undefined;

  constructor(provider: StateProviderConfig, target: RenewalTarget) {
    super();
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    // Read in this order, moments of the thread are never later than they were.
    const clockStartMs = performance.now() - Number(process.hrtime.bigint()) / 1e6;
    const memory = this.#memory.buffer;
    const workerData: ThreadData = { target, provider, memory, port: port2, clockStartMs };
    this.#worker = new Worker(THREAD_FILE, {
      ...{ workerData, transferList: [port2], resourceLimits: RESOURCE_LIMITS, name: 'lease' },
    });
    port1.on('message', (news: RenewalNews) => this.#receive(news));
    port1.unref();
    this.#worker.unref();
    this.#worker.on('error', (error) => this.#fail(error));
    this.#exited = new Promise((resolve) => {
      this.#worker.once('exit', () => {
        this.#fail(new Error('the thread has ended'));
        resolve();
      });
    });
  }

  permit(untilMs: number): void {
    this.#memory.permit(untilMs);
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  protected give(task: RenewalTask): void {
    this.#port.postMessage(task);
  }

  protected catchUp(): void {
    if (this.#memory.published !== this.#seen) this.#readAll();
  }

  async #stop(): Promise<void> {
    this.#memory.stop();
    await this.#worker.terminate();
    await this.#exited;
    this.#readAll();
    this.#port.close();
  }

  #readAll(): void {
    for (;;) {
      const message = receiveMessageOnPort(this.#port) as { message: RenewalNews } | undefined;
      if (message === undefined) return;
      this.#receive(message.message);
    }
  }

  #receive(news: RenewalNews): void {
    this.#seen++;
    this.receive(news);
  }

  #fail(error: unknown): void {
    if (this.#stopped !== undefined || this.end !== undefined) return;
    this.receive({ kind: 'end', end: { kind: 'failed', error } });
  }
}
