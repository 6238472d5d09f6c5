/**
 * Reads and writes decisions of changes in the state provider; what is written, `core/config/decisions.ts` decides.
 *
 * An answer that was lost is no answer: the decision is read again until it is certain, or the call fails. A record that
 * cannot be read is never taken for an absent one, nor overwritten.
 */
import type { ClusterConfig, ConfigVersion } from '../contract/cluster-config.ts';
import {
  type ConfigHead,
  configHeadSchema,
  type Decision,
  decisionSchema,
  providerKeys,
} from '../contract/provider-records.ts';
import { type DecisionKind, planDecision } from '../core/config/decisions.ts';
import {
  ProviderError,
  type ProviderTransaction,
  type StateProvider,
} from '../ports/state-provider.ts';
import { isProviderTrouble, parseRecord } from './stored-records.ts';

export type DecisionAnswer =
  | {
      readonly kind: 'decision-read';
      readonly decision: DecisionKind | 'none';
      readonly reason: string;
    }
  | { readonly kind: 'decision-failed'; readonly reason: string };

export interface DecisionWish {
  readonly changeId: string;
  readonly wish: DecisionKind;
  readonly reason: string;
  /** The config that the change was made from, or the own one where the change is not known. */
  readonly base: ConfigVersion;
  /** What a commit makes; undefined where the change is not known, which then cannot be committed. */
  readonly next: ClusterConfig | undefined;
}

export interface StoredHead {
  readonly head: ConfigHead | undefined;
  /** For comparing; 0 when there is none. */
  readonly revision: number;
  /** The store's, when it was read. */
  readonly readAt: number;
}

const ATTEMPTS = 5;

export class ConfigDecisions {
  readonly #provider: StateProvider;
  readonly #by: string;
  readonly #timeoutMs: number;

  constructor(
    provider: StateProvider,
    options: { readonly by: string; readonly timeoutMs: number },
  ) {
    this.#provider = provider;
    this.#by = options.by;
    this.#timeoutMs = options.timeoutMs;
  }

  async read(changeId: string): Promise<DecisionAnswer> {
    return this.#guard(async () => {
      const stored = await this.#stored(changeId);
      if (stored !== undefined) return answer(stored);
      const { head } = await this.readHead();
      if (head?.changeId === changeId) return committedBefore();
      return { kind: 'decision-read', decision: 'none', reason: '' };
    });
  }

  async decide(wish: DecisionWish): Promise<DecisionAnswer> {
    return this.#guard(async () => {
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        const settled = await this.#tryDecide(wish);
        if (settled !== undefined) return settled;
      }
      return {
        kind: 'decision-failed',
        reason: 'the decision could not be stored in several tries',
      };
    });
  }

  async readHead(): Promise<StoredHead> {
    const key = providerKeys.configHead;
    // Not `get`: what is built on an absence must tell in which store it was found.
    const { entries, revision: readAt } = await this.#provider.list(key, this.#options());
    const entry = entries.find((other) => other.key === key);
    if (entry === undefined) return { head: undefined, revision: 0, readAt };
    return { head: parseRecord(entry, configHeadSchema), revision: entry.revision, readAt };
  }

  /** Puts back a head that the provider has lost. False when another one did it meanwhile. */
  async restoreHead(config: ClusterConfig, { revision, readAt }: StoredHead): Promise<boolean> {
    const outcome = await this.#provider.transact(
      {
        readAt,
        compare: [{ key: providerKeys.configHead, revision }],
        writes: [putHead(config)],
      },
      this.#options(),
    );
    return outcome.kind === 'applied';
  }

  /** Undefined: somebody else wrote meanwhile, or the answer was lost; look again. */
  async #tryDecide(wish: DecisionWish): Promise<DecisionAnswer | undefined> {
    const stored = await this.#stored(wish.changeId);
    if (stored !== undefined) return answer(stored);
    const found = await this.readHead();
    const plan = planDecision({ ...wish, head: found.head });
    if (plan.kind === 'committed-before') return committedBefore();
    if (plan.kind === 'wait') return { kind: 'decision-failed', reason: plan.reason };
    const decision: Decision = { v: 1, decision: plan.decision, reason: plan.reason, by: this.#by };
    const isStored = await this.#store(wish, decision, found);
    return isStored ? answer(decision) : undefined;
  }

  async #store(wish: DecisionWish, decision: Decision, found: StoredHead): Promise<boolean> {
    const { revision, readAt } = found;
    const key = providerKeys.decision(wish.changeId);
    const writes: ProviderTransaction['writes'] = [
      { kind: 'put', key, value: JSON.stringify(decision) },
    ];
    const undecided = [{ key, revision: 0 }];
    const transaction =
      decision.decision === 'commit' && wish.next !== undefined
        ? {
            readAt,
            compare: [...undecided, { key: providerKeys.configHead, revision }],
            writes: [...writes, putHead(wish.next)],
          }
        : { readAt, compare: undecided, writes };
    try {
      const outcome = await this.#provider.transact(transaction, this.#options());
      return outcome.kind === 'applied';
    } catch (error) {
      // It may have been stored: the next look tells.
      if (error instanceof ProviderError && error.kind === 'unknown') return false;
      throw error;
    }
  }

  async #stored(changeId: string): Promise<Decision | undefined> {
    const entry = await this.#provider.get(providerKeys.decision(changeId), this.#options());
    return entry === undefined ? undefined : parseRecord(entry, decisionSchema);
  }

  async #guard(asking: () => Promise<DecisionAnswer>): Promise<DecisionAnswer> {
    try {
      return await asking();
    } catch (error) {
      // Without an answer, or with one that cannot be read, nothing is concluded: the lock stays.
      if (!isProviderTrouble(error)) throw error;
      return { kind: 'decision-failed', reason: troubleOf(error) };
    }
  }

  #options(): { readonly timeoutMs: number } {
    return { timeoutMs: this.#timeoutMs };
  }
}

function putHead(config: ClusterConfig): ProviderTransaction['writes'][number] {
  const { version, checksum, changeId } = config.meta;
  const head: ConfigHead = { v: 1, config: { version, checksum }, changeId };
  return { kind: 'put', key: providerKeys.configHead, value: JSON.stringify(head) };
}

function troubleOf(error: unknown): string {
  if (!(error instanceof Error)) return 'the state provider cannot be used';
  if (error instanceof ProviderError) {
    return `the state provider does not answer: ${error.message}`;
  }
  return error.message;
}

function answer(decision: Decision): DecisionAnswer {
  return { kind: 'decision-read', decision: decision.decision, reason: decision.reason };
}

function committedBefore(): DecisionAnswer {
  return { kind: 'decision-read', decision: 'commit', reason: 'the head of the config names it' };
}
