/**
 * Looks now and then whether the state provider itself is well: members that disagree, alarms, members that are away
 * (CMP-11). One instance does it, the active coordinator, so that a large cluster asks no more than a small one.
 */
import type { Issue } from '../contract/instance-status.ts';
import type { Clock } from '../foundation/clock.ts';
import type { StateProvider } from '../ports/state-provider.ts';

export interface ProviderCheckOptions {
  readonly provider: StateProvider;
  readonly clock: Clock;
  /** Is this the instance that looks? */
  readonly isMine: () => boolean;
}

const TIMEOUT_MS = 2000;
const QUIET_MS = 30_000;
/** A member is away for a moment in each restart: what two looks in a row have found is told. */
const IN_DOUBT_MS = 5000;

export class ProviderCheck {
  readonly #options: ProviderCheckOptions;
  #found: readonly string[] = [];
  #told: readonly string[] = [];

  constructor(options: ProviderCheckOptions) {
    this.#options = options;
  }

  issues(): readonly Issue[] {
    return this.#told.map((message) => ({ level: 'warning', topic: 'state-provider', message }));
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    let delayMs = IN_DOUBT_MS;
    while (!signal.aborted) {
      await clock.sleep(delayMs, signal).catch(() => undefined);
      await this.#look(signal);
      const isSure = this.#options.isMine() && this.#told.length === this.#found.length;
      delayMs = isSure ? QUIET_MS : IN_DOUBT_MS;
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { provider, isMine } = this.#options;
    const found = isMine() ? await provider.check?.({ timeoutMs: TIMEOUT_MS, signal }) : [];
    const before = this.#found.map(subject);
    this.#found = found ?? [];
    this.#told = this.#found.filter((message) => before.includes(subject(message)));
  }
}

/** Without the counts, which differ from look to look. */
function subject(message: string): string {
  return message.replaceAll(/ \d+ (?=MB|requests)/g, ' ');
}
