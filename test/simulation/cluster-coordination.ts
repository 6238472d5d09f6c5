/**
 * Nobody appoints but the coordinator whose lock the state provider has at that moment: one that was stopped, or has
 * died, does no harm with what it sent before. And nobody appoints by itself while failover is paused.
 */
import {
  type Appointment,
  appointmentSchema,
  coordinatorLockSchema,
  providerKeys,
} from '../../runtime/src/contract/provider-records.ts';
import type { AppointReason } from '../../runtime/src/core/failover/appointments.ts';
import type {
  ProviderOutcome,
  ProviderTransaction,
} from '../../runtime/src/ports/state-provider.ts';
import type { ClusterChecker, ProviderClient, SimulatedSet } from './cluster-set.ts';

/** Those of a coordinator: a leader that hands over gives other ones, and needs no lock. */
const byCoordinator: ReadonlySet<string> = new Set<AppointReason>([
  'first-appointment',
  'new-leader-selected',
  'higher-term-promised',
  'provider-had-forgotten',
  'all-seats-lost',
  'all-seats-expelled',
]);

/** What was decided before may take so long. */
const DECIDED_MS = 1000;

export class CoordinationChecker implements ClusterChecker {
  readonly #set: SimulatedSet;

  constructor(set: SimulatedSet) {
    this.#set = set;
  }

  transacted(by: ProviderClient, { writes }: ProviderTransaction, { kind }: ProviderOutcome): void {
    const key = providerKeys.leader(this.#set.replicaSetUuid);
    const write = writes.find((one) => one.key === key);
    // A change of the in-sync members is the leader's, and does not touch the lease.
    const movesLease = writes.some((one) => one.key.startsWith(providerKeys.leases));
    if (kind !== 'applied' || write?.kind !== 'put' || !movesLease) return;
    const appointment: Appointment = appointmentSchema.parse(JSON.parse(write.value));
    if (!byCoordinator.has(appointment.reason)) return;
    this.#mustNotBePaused(by, appointment);
    const stored = this.#set.store.get(providerKeys.lock);
    const lock = stored && coordinatorLockSchema.parse(JSON.parse(stored.value));
    const isIts = lock?.holder === by.uuid && lock.incarnation === by.incarnation && !lock.released;
    if (isIts) return;
    const holder = lock === undefined ? 'nobody' : lock.holder.slice(-2);
    const name = by.uuid.slice(-2);
    this.#set.violate(`${name} appointed in term ${appointment.term} while ${holder} had the lock`);
  }

  #mustNotBePaused({ uuid, pausedMs }: ProviderClient, { term }: Appointment): void {
    if (pausedMs <= DECIDED_MS) return;
    this.#set.violate(`${uuid.slice(-2)} appointed in term ${term} while it was paused`);
  }
}
