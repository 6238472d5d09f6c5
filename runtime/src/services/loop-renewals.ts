/** Renewals on the loop of the caller, with a client of their own: what tests and simulations use. */
import type { Clock } from '../foundation/clock.ts';
import type { Random } from '../foundation/random.ts';
import type {
  LeaseRenewals,
  RenewalTarget,
  RenewalTask,
  StartedRenewals,
} from '../ports/lease-renewals.ts';
import type { StateProvider } from '../ports/state-provider.ts';
import { PublishedRenewals } from './published-renewals.ts';
import { runRenewals } from './renewal-loop.ts';

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

  start(target: RenewalTarget): StartedRenewals {
    return new RenewalsOnLoop(this.#options, target);
  }
}

class RenewalsOnLoop extends PublishedRenewals {
  readonly #ended: Promise<void>;
  readonly #stopping = new AbortController();
  #give: (task: RenewalTask | undefined) => void = () => undefined;
  #permittedUntilMs = 0;

  constructor(options: LoopRenewalsOptions, target: RenewalTarget) {
    super();
    const provider = options.openProvider();
    const given = new Promise<RenewalTask | undefined>((resolve) => {
      this.#give = resolve;
    });
    const running = runRenewals(
      {
        ...{ ...options, provider, target, given },
        permittedUntilMs: () => this.#permittedUntilMs,
        publish: (news) => this.receive(news),
      },
      this.#stopping.signal,
    );
    this.#ended = running.finally(() => provider.close());
  }

  permit(untilMs: number): void {
    this.#permittedUntilMs = untilMs;
  }

  stop(): Promise<void> {
    this.#stopping.abort();
    this.#give(undefined);
    return this.#ended;
  }

  protected give(task: RenewalTask): void {
    this.#give(task);
  }

  /** What was published has come. */
  protected catchUp(): void {}
}
