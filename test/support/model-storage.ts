/**
 * A small model of a replicated log, as far as leadership can tell: positions, promises, and which writes count as
 * acknowledged. It keeps the rules that the real storage keeps, in the fewest words.
 */
import type { Position } from '../../runtime/src/contract/instance-status.ts';
import type {
  ReplicaSetStorage,
  StorageProgress,
  StorageReport,
} from '../../runtime/src/services/replica-set-storage.ts';

export interface Entry {
  readonly term: number;
  readonly id: number;
}

/** Survives the process. */
export interface DurableLog {
  entries: Entry[];
  promisedTerm: number;
}

export class ModelStorage implements ReplicaSetStorage {
  readonly durable: DurableLog;
  frozen = false;

  constructor(durable: DurableLog) {
    this.durable = durable;
  }

  report(): StorageReport {
    return {
      position: this.position(),
      promisedTerm: this.durable.promisedTerm,
      logIncarnation: 1,
    };
  }

  progress(): StorageProgress {
    return { acknowledged: this.position(), isComplete: true };
  }

  seenTerm(): number {
    return this.durable.promisedTerm;
  }

  async promise(term: number): Promise<StorageReport> {
    this.durable.promisedTerm = Math.max(this.durable.promisedTerm, term);
    return this.report();
  }

  async freeze(): Promise<Position> {
    this.frozen = true;
    return this.position();
  }

  thaw(): void {
    this.frozen = false;
  }

  position(): Position {
    const { entries } = this.durable;
    return { term: entries.at(-1)?.term ?? 0, sequence: entries.length };
  }

  /** Rows of a leader from `from` on, which match the log before them. */
  take(from: number, entries: readonly Entry[]): void {
    this.durable.entries = [...this.durable.entries.slice(0, from), ...entries];
  }

  /** The last term's rows do not match the leader's: they go. */
  dropLastTerm(): void {
    const { entries } = this.durable;
    const last = entries.at(-1)?.term;
    this.durable.entries = entries.filter(({ term }) => term !== last);
  }
}
