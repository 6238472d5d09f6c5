/**
 * A network of handlers in one process: latency, loss before and after the effect, duplicates, cuts; all from a seed.
 *
 * Bodies are copied on the way, as by a wire. A handler that belongs to a dead process is not answered: whoever waits
 * learns it by timeout; a closed port refuses at once.
 */
import type { Clock } from '../foundation/clock.ts';
import {
  type InternalHandler,
  type InternalHandlers,
  type PeerCallOptions,
  PeerError,
  type Peers,
} from '../ports/peers.ts';
import type { SeededRandom } from './seeded-random.ts';
import { wireCopy } from './wire-copy.ts';

export interface NetworkFaults {
  readonly latencyMinMs: number;
  readonly latencyMaxMs: number;
  /** The request is lost. */
  readonly lossBefore: number;
  /** The answer is lost. */
  readonly lossAfter: number;
  /** The request arrives a second time, later. */
  readonly duplicate: number;
}

export const CALM_NETWORK: NetworkFaults = {
  latencyMinMs: 1,
  latencyMaxMs: 3,
  lossBefore: 0,
  lossAfter: 0,
  duplicate: 0,
};

export interface NetworkOptions {
  readonly clock: Clock;
  readonly random: SeededRandom;
  readonly faults?: NetworkFaults;
  /** Sees every answer when it is made, even if it is lost afterwards. */
  readonly onAnswer?: (exchange: Exchange) => void;
}

export interface Exchange {
  readonly from: string;
  readonly to: string;
  readonly method: string;
  readonly body: unknown;
  readonly answer: unknown;
}

interface Request {
  readonly from: string;
  readonly to: string;
  readonly method: string;
  readonly body: unknown;
}

export class SimulatedNetwork {
  faults: NetworkFaults;
  readonly #clock: Clock;
  readonly #random: SeededRandom;
  readonly #onAnswer: (exchange: Exchange) => void;
  readonly #handlers = new Map<string, InternalHandlers>();
  readonly #cuts = new Set<string>();

  constructor(options: NetworkOptions) {
    this.#clock = options.clock;
    this.#random = options.random;
    this.faults = options.faults ?? CALM_NETWORK;
    this.#onAnswer = options.onAnswer ?? (() => undefined);
  }

  listen(address: string, handlers: InternalHandlers): void {
    this.#handlers.set(address, handlers);
  }

  /** Its process is dead: what it was doing never answers. */
  close(address: string): void {
    this.#handlers.delete(address);
  }

  cut(a: string, b: string): void {
    this.#cuts.add(link(a, b));
  }

  healCuts(): void {
    this.#cuts.clear();
  }

  peersFor(from: string): Peers {
    return {
      call: (to, method, body, options) => this.#call({ from, to, method, body }, options),
    };
  }

  async #call(request: Request, options: PeerCallOptions): Promise<unknown> {
    const timeout = new AbortController();
    let hasEnded = false;
    const onAbort = (): void => timeout.abort(options.signal?.reason);
    options.signal?.addEventListener('abort', onAbort, { once: true });
    const deadline = this.#clock.sleep(options.timeoutMs, timeout.signal).then(
      () => Promise.reject(new PeerError('unknown', `no answer of ${request.to} in time`)),
      () => {
        // Then nobody looks at this any more.
        if (hasEnded) return undefined;
        throw new PeerError('unknown', `the call to ${request.to} was given up`);
      },
    );
    const exchange = this.#exchange(request);
    // Whichever loses the race may still reject, with nobody waiting for it.
    exchange.catch(() => undefined);
    deadline.catch(() => undefined);
    try {
      return await Promise.race([exchange, deadline]);
    } finally {
      options.signal?.removeEventListener('abort', onAbort);
      hasEnded = true;
      // With a reason of its own: making the default one takes longer than the rest of a call.
      timeout.abort('the exchange ended');
    }
  }

  async #exchange(request: Request): Promise<unknown> {
    if (this.#random.chance(this.faults.duplicate)) this.#sendLate(request);
    await this.#travel();
    if (this.#random.chance(this.faults.lossBefore)) await never();
    const handler = this.#find(request);
    const handlers = this.#handlers.get(request.to);
    const outcome = await this.#handle(handler, request);
    // The answer of a process that died meanwhile, or of the one before it, is gone.
    if (this.#handlers.get(request.to) !== handlers) await never();
    await this.#travel();
    if (this.#random.chance(this.faults.lossAfter)) await never();
    if (this.#cuts.has(link(request.from, request.to))) await never();
    if (outcome.kind === 'rejected') throw outcome.error;
    return outcome.answer;
  }

  #find(request: Request): InternalHandler {
    const { from, to, method } = request;
    const handlers = this.#handlers.get(to);
    if (handlers === undefined || this.#cuts.has(link(from, to))) {
      throw new PeerError('not-sent', `${to} cannot be reached from ${from}`);
    }
    const handler = handlers.get(method);
    if (handler === undefined) throw new Error(`${to} has no method ${method}`);
    return handler;
  }

  async #handle(
    handler: InternalHandler,
    request: Request,
  ): Promise<{ kind: 'answered'; answer: unknown } | { kind: 'rejected'; error: Error }> {
    try {
      const answer = wireCopy(await handler(wireCopy(request.body)));
      this.#onAnswer({ ...request, answer });
      return { kind: 'answered', answer };
    } catch (error) {
      // The refusal travels back like an answer.
      return { kind: 'rejected', error: error instanceof Error ? error : new Error(String(error)) };
    }
  }

  #sendLate(request: Request): void {
    const late = async (): Promise<void> => {
      await this.#clock.sleep(this.#random.fraction() * 20 * this.faults.latencyMaxMs);
      const handlers = this.#handlers.get(request.to);
      const handler = handlers?.get(request.method);
      if (handler !== undefined) await this.#handle(handler, request);
    };
    // Nobody waits for a duplicate.
    late().catch(() => undefined);
  }

  async #travel(): Promise<void> {
    const { latencyMinMs, latencyMaxMs } = this.faults;
    await this.#clock.sleep(latencyMinMs + this.#random.fraction() * (latencyMaxMs - latencyMinMs));
  }
}

function link(a: string, b: string): string {
  return a < b ? `${a}|${b}` : `${b}|${a}`;
}

function never(): Promise<never> {
  return new Promise<never>(() => undefined);
}
