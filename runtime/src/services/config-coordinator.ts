/** Drives the change coordinator machine: sends what it asks for, and feeds it answers, failures and deadlines. */
import {
  type ChangeState,
  changeStateSchema,
  type PrepareAnswer,
  type PrepareRequest,
  prepareAnswerSchema,
} from '../contract/two-phase.ts';
import {
  type FinishedTwoPhase,
  isFinished,
  startTwoPhase,
  stepTwoPhase,
  type TwoPhaseEffect,
  type TwoPhaseEvent,
  type TwoPhaseMessage,
  type TwoPhaseState,
} from '../core/config/two-phase.ts';
import { assert } from '../foundation/assert.ts';
import type { Clock } from '../foundation/clock.ts';
import type { TaskRegistry } from '../foundation/task-registry.ts';

export interface CoordinatorOptions {
  readonly clock: Clock;
  readonly tasks: TaskRegistry;
  /** Calls a method of a participant, by UUID and address. */
  readonly call: (
    to: { readonly uuid: string; readonly httpUri: string },
    method: string,
    body: unknown,
    signal: AbortSignal,
  ) => Promise<unknown>;
  readonly prepareTimeoutMs: number;
  /** After the deadline of prepare, for the rest. */
  readonly finishTimeoutMs: number;
}

export async function runTwoPhase(
  request: PrepareRequest,
  options: CoordinatorOptions,
): Promise<FinishedTwoPhase> {
  const run = new CoordinatorRun(request, options);
  return run.finished();
}

class CoordinatorRun {
  readonly #options: CoordinatorOptions;
  readonly #request: PrepareRequest;
  /** Ends the sends and waits that nobody needs any more. */
  readonly #end = new AbortController();
  readonly #finished: Promise<FinishedTwoPhase>;
  #resolve: (state: FinishedTwoPhase) => void = () => undefined;
  #reject: (error: Error) => void = () => undefined;
  #state: TwoPhaseState;

  constructor(request: PrepareRequest, options: CoordinatorOptions) {
    this.#options = options;
    this.#request = request;
    this.#finished = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    const { state, effects } = startTwoPhase(request);
    this.#state = state;
    this.#perform(effects);
    this.#after(options.prepareTimeoutMs, { kind: 'deadline' });
    this.#after(options.prepareTimeoutMs + options.finishTimeoutMs, { kind: 'give-up' });
  }

  finished(): Promise<FinishedTwoPhase> {
    return this.#finished;
  }

  #handle(event: TwoPhaseEvent): void {
    if (this.#end.signal.aborted) return;
    const { state, effects } = stepTwoPhase(this.#state, event);
    this.#state = state;
    this.#perform(effects);
    if (!isFinished(state)) return;
    this.#resolve(state);
    this.#end.abort(new Error('the change has ended'));
  }

  #perform(effects: readonly TwoPhaseEffect[]): void {
    for (const effect of effects) {
      this.#background('send a message of a config change', async () => {
        if (effect.delayMs > 0) await this.#options.clock.sleep(effect.delayMs, this.#end.signal);
        this.#handle(await this.#send(effect.to, effect.message));
      });
    }
  }

  #after(delayMs: number, event: TwoPhaseEvent): void {
    this.#background('wait for the deadline of a config change', async () => {
      await this.#options.clock.sleep(delayMs, this.#end.signal);
      this.#handle(event);
    });
  }

  #background(name: string, work: () => Promise<void>): void {
    this.#options.tasks.run(name, async (closing) => {
      const end = (): void => this.#close(closing.reason);
      closing.addEventListener('abort', end, { once: true });
      try {
        await work();
      } catch (error) {
        // The end of the change, or of the process, ends what was still under way.
        if (!this.#end.signal.aborted && !closing.aborted) throw error;
      } finally {
        closing.removeEventListener('abort', end);
      }
    });
  }

  #close(reason: unknown): void {
    this.#reject(reason instanceof Error ? reason : new Error('closing'));
    this.#end.abort(reason);
  }

  async #send(to: string, message: TwoPhaseMessage): Promise<TwoPhaseEvent> {
    try {
      return await this.#exchange(to, message);
    } catch (error) {
      // What a peer or the network did wrong is for the machine to judge.
      const reason = error instanceof Error ? error.message : String(error);
      return { kind: 'failed', from: to, message, reason };
    }
  }

  async #exchange(to: string, message: TwoPhaseMessage): Promise<TwoPhaseEvent> {
    const { change, result, patch } = this.#request;
    const participant = change.participants.find((one) => one.uuid === to);
    assert(participant !== undefined, 'messages go to participants');
    const { signal } = this.#end;
    const call = (method: string, body: unknown): Promise<unknown> =>
      this.#options.call(participant, method, body, signal);

    if (message === 'commit' || message === 'abort') {
      const reason = message === 'abort' ? this.#abortReason() : `wanted by ${change.author}`;
      const body = { changeId: change.changeId, reason: reason.slice(0, 1000) };
      const answer: ChangeState = changeStateSchema.parse(await call(`twophase.${message}`, body));
      return { kind: 'finish-answered', from: to, answer };
    }
    const body = message === 'prepare-full' ? this.#request : { change, result, patch };
    const answer: PrepareAnswer = prepareAnswerSchema.parse(await call('twophase.prepare', body));
    return { kind: 'prepare-answered', from: to, answer };
  }

  #abortReason(): string {
    return this.#state.phase === 'aborting' ? this.#state.refusal.message : 'given up';
  }
}
