/** What workloads and checkers of one replica set see of a run, and what they are to it. */
import type {
  ProviderOutcome,
  ProviderTransaction,
} from '../../runtime/src/ports/state-provider.ts';
import type { SeededRandom } from '../../runtime/src/testing/seeded-random.ts';
import type { SimulatedClock } from '../../runtime/src/testing/simulated-clock.ts';
import type { Exchange } from '../../runtime/src/testing/simulated-peers.ts';
import type { SimulatedStore } from '../../runtime/src/testing/simulated-store.ts';
import type { Machine } from './cluster-machine.ts';
import type { ClusterScript } from './cluster-script.ts';

export interface SimulatedSet {
  readonly replicaSetUuid: string;
  readonly machines: readonly Machine[];
  /** Its instances elect their leaders. */
  readonly isRaft: boolean;
  readonly clock: SimulatedClock;
  readonly store: SimulatedStore;
  readonly script: ClusterScript;
  /** The run ends with it. */
  readonly violate: (message: string) => void;
  readonly note: (message: string) => void;
  readonly count: (what: string, times?: number) => void;
  /** Tells every checker that no in-sync member has its seat any more: acknowledged rows may be lost. */
  readonly allSeatsLost: () => void;
}

/** A process, or the launcher of a dead one, as the state provider knows it. */
export interface ProviderClient {
  readonly uuid: string;
  readonly incarnation: number;
  /** For how long it has known that failover is paused; 0 when it is not. */
  readonly pausedMs: number;
}

/** What must hold in one replica set. Each part is optional. */
export interface ClusterChecker {
  /** After every event of the run, with the machines of the set that are writable then. */
  moment?(writable: readonly Machine[]): void;
  /** An instance has become writable. */
  leads?(machine: Machine): void;
  /** The records of appointments, after any change of the store. */
  stored?(entries: ReadonlyMap<string, string>): void;
  /** A machine was answered by another. */
  exchanged?(exchange: Exchange): void;
  /** A machine's transaction had its effect in the state provider. */
  transacted?(by: ProviderClient, transaction: ProviderTransaction, outcome: ProviderOutcome): void;
  allSeatsLost?(): void;
  /** Grows with everything that was done for clients: after the faults it must grow again. */
  progress?(): number;
  /** After the faults: undefined when all is whole again. */
  whatIsMissing?(): string | undefined;
  end?(): void;
}

/** Clients of one kind. They ask until the run ends, each with numbers of its own. */
export interface Workload {
  readonly checker?: ClusterChecker;
  client(name: string, random: SeededRandom): Promise<void>;
}

/** The longest that a storage lets a write wait; the patience of a client is twice that. */
export const WRITE_TIMEOUT_MS = 3000;

/** Whoever leads, most often. */
export function pickTarget({ machines }: SimulatedSet, random: SeededRandom): Machine {
  const writable = machines.filter(({ process }) => process?.storage.isWritable === true);
  const isBlind = writable.length === 0 || random.chance(0.1);
  return random.pick(isBlind ? machines : writable);
}

/** What became of the work, as a client sees it: its patience ends after that of the storage. */
export async function outcomeOf(clock: SimulatedClock, work: Promise<string>): Promise<string> {
  const ended = new AbortController();
  const silence = clock.sleep(2 * WRITE_TIMEOUT_MS, ended.signal).then(
    () => 'unknown',
    // The answer came first: nobody looks at this any more.
    () => 'unknown',
  );
  const outcome = await Promise.race([work, silence]);
  ended.abort('the answer came first');
  return outcome;
}
