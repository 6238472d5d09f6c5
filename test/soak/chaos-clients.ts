/** Clients of a chaos round: each asks one thing after the other, and waits for an answer no longer than its patience. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { SeededRandom } from '../../runtime/src/testing/seeded-random.ts';
import { type ChaosHistory, isList } from './chaos-history.ts';
import type { Asked, ChaosPath, SpaceName, Told } from './chaos-paths.ts';

export interface ChaosClientOptions {
  readonly name: string;
  readonly path: ChaosPath;
  readonly history: ChaosHistory;
  readonly random: SeededRandom;
  /** Of the moment: the same for all clients. */
  readonly keys: () => Keys;
}

/** A key has few requests, so that all their orders can be tried: after a while others are used. */
export class Keys {
  readonly #prefix: string;
  readonly #sinceMs = performance.now();

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  pick(random: SeededRandom): { readonly space: SpaceName; readonly key: string } {
    const generation = Math.floor((performance.now() - this.#sinceMs) / GENERATION_MS);
    const space = random.pick(['first', 'second'] as const);
    const name = random.pick(NAMES);
    return { space, key: `${name}-${space}-${this.#prefix}-${generation}` };
  }
}

const GENERATION_MS = 2000;
const NAMES = ['register-a', 'register-b', 'list-a', 'list-b'] as const;
const PATIENCE_MS = 1200;
const PAUSE_MS_MAX = 16;
const READS = 0.5;

export class ChaosClient {
  readonly #options: ChaosClientOptions;
  readonly #running: Promise<void>;
  #isStopping = false;

  constructor(options: ChaosClientOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  /** Asks nothing more. What is told later still counts. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    const { random, path } = this.#options;
    while (!this.#isStopping) {
      const patience = new AbortController();
      const told = await Promise.race([
        this.#ask(),
        sleep(PATIENCE_MS, undefined, { signal: patience.signal }).catch(() => undefined),
      ]);
      patience.abort();
      if (told === undefined) path.impatient();
      await sleep(random.integer(PAUSE_MS_MAX));
    }
  }

  #ask(): Promise<Told> {
    const { name, path, history, random, keys } = this.#options;
    const where = keys().pick(random);
    const change = isList(where.key) ? 'append' : 'write';
    const kind = random.chance(READS) ? 'read' : change;
    const asked: Asked = { ...where, kind, value: history.nextValue() };
    return askOnce(history, { name, path, asked });
  }
}

export async function askOnce(
  history: ChaosHistory,
  { name, path, asked }: { readonly name: string; readonly path: ChaosPath; readonly asked: Asked },
): Promise<Told> {
  const finish = history.invoke(name, asked);
  const told = await path.ask(asked);
  finish(told);
  return told;
}
