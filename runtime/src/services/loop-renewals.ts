/** Renewals on the loop of the caller, with a client of their own: what tests and simulations use. */
import type { Clock } from '../foundation/clock.ts';
import type { Random } from '../foundation/random.ts';
import type {
  LeaseRenewals,
  RenewalEnd,
  RenewalState,
  RenewalTask,
  RunningRenewals,
} from '../ports/lease-renewals.ts';
import type { StateProvider } from '../ports/state-provider.ts';
import { type RenewalNews, runRenewals } from './renewal-loop.ts';

export interface LoopRenewalsOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly openProvider: () => StateProvider;
}

export class LoopRenewals implements LeaseRenewals {
  readonly #options: LoopRenewalsOptions;

  constructor(options: LoopRenewalsOptions) {
    this.#options = options;
  }

  begin(task: RenewalTask, onNews: () => void): RunningRenewals {
    return new RunningLoop(this.#options, task, onNews);
  }
}

class RunningLoop implements RunningRenewals {
  readonly #ended: Promise<void>;
  readonly #stopping = new AbortController();
  readonly #onNews: () => void;
  #permittedUntilMs: number;
  #state: RenewalState;
  #end: RenewalEnd | undefined;

  constructor(options: LoopRenewalsOptions, task: RenewalTask, onNews: () => void) {
    this.#onNews = onNews;
    this.#state = task.state;
    this.#permittedUntilMs = task.permittedUntilMs;
    const provider = options.openProvider();
    const running = {
      ...{ ...options, task, provider, permittedUntilMs: () => this.#permittedUntilMs },
      publish: (news: RenewalNews) => this.#publish(news),
    };
    this.#ended = runRenewals(running, this.#stopping.signal).finally(() => provider.close());
  }

  get state(): RenewalState {
    return this.#state;
  }

  get end(): RenewalEnd | undefined {
    return this.#end;
  }

  permit(untilMs: number): void {
    this.#permittedUntilMs = untilMs;
  }

  stop(): Promise<void> {
    this.#stopping.abort();
    return this.#ended;
  }

  #publish(news: RenewalNews): void {
    if (news.kind === 'state') this.#state = news.state;
    else this.#end = news.end;
    this.#onNews();
  }
}
