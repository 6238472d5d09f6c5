/** Tells in which term the lease record may name this process, before it can, and when it no longer does. */
import type { InstanceIdentity } from '../contract/identity.ts';

/** What the launcher must release when this process is dead. */
export interface HeldLease {
  readonly replicaSetUuid: string;
  readonly term: number;
  readonly incarnation: number;
}

export interface HeldReportOptions {
  readonly identity: InstanceIdentity;
  readonly replicaSetUuid: string;
  readonly onHeld: (held: readonly HeldLease[]) => void;
}

export class HeldReport {
  readonly #options: HeldReportOptions;
  /** Also when the hold is over, as the record may still say it. */
  #taken: number | undefined;
  #prepared: number | undefined;

  constructor(options: HeldReportOptions) {
    this.#options = options;
  }

  /** Nothing that was prepared before can be stored any more. */
  taken(term: number): void {
    this.#prepared = undefined;
    this.#taken = term;
    this.#tell();
  }

  /** The record of that term no longer names this process. */
  over(term: number): void {
    if (this.#taken === term) this.#taken = undefined;
    this.#tell();
  }

  prepared(term: number | undefined): void {
    this.#prepared = term;
    this.#tell();
  }

  #tell(): void {
    const { replicaSetUuid, identity, onHeld } = this.#options;
    const term = this.#prepared ?? this.#taken;
    const { incarnation } = identity;
    onHeld(term === undefined ? [] : [{ replicaSetUuid, term, incarnation }]);
  }
}
