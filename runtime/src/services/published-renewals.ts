/** Renewals elsewhere, in another thread or another task of this loop: what is known of them by what they publish. */
import { assert } from '../foundation/assert.ts';
import type {
  RenewalEnd,
  RenewalState,
  RenewalTask,
  RunningRenewals,
  StartedRenewals,
} from '../ports/lease-renewals.ts';
import type { RenewalNews } from './renewal-loop.ts';

export abstract class PublishedRenewals implements StartedRenewals, RunningRenewals {
  #isReady = false;
  #state: RenewalState | undefined;
  #end: RenewalEnd | undefined;
  #onNews: (() => void) | undefined;
  #isTelling = false;

  get isReady(): boolean {
    this.catchUp();
    return this.#isReady;
  }

  get state(): RenewalState {
    this.catchUp();
    assert(this.#state !== undefined, 'renewals have a state from when they begin');
    return this.#state;
  }

  get end(): RenewalEnd | undefined {
    this.catchUp();
    return this.#end;
  }

  begin(task: RenewalTask, onNews: () => void): RunningRenewals {
    this.#state = task.state;
    this.#onNews = onNews;
    this.permit(task.permittedUntilMs);
    this.give(task);
    return this;
  }

  abstract permit(untilMs: number): void;
  abstract stop(): Promise<void>;
  protected abstract give(task: RenewalTask): void;
  /** Receives what was published and has not come yet. */
  protected abstract catchUp(): void;

  protected receive(news: RenewalNews): void {
    if (news.kind === 'ready') this.#isReady = true;
    else if (news.kind === 'state') this.#state = news.state;
    else this.#end ??= news.end;
    this.#tell();
  }

  /** Not at once: somebody may just be asking. */
  #tell(): void {
    if (this.#isTelling) return;
    this.#isTelling = true;
    void Promise.resolve().then(() => {
      this.#isTelling = false;
      this.#onNews?.();
    });
  }
}
