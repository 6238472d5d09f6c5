/**
 * Bugs planted on purpose, one for each rule that keeps a cluster safe. A checker that does not find them proves nothing.
 *
 * Another one is another entry: the rule it breaks, what finds it, and which ports of a process are wrong then.
 */
import type { Topology } from '../../runtime/src/contract/cluster-config.ts';
import type { InstanceIdentity } from '../../runtime/src/contract/identity.ts';
import { ClusterError } from '../../runtime/src/core/errors.ts';
import type { RequiredSeats } from '../../runtime/src/core/replication/leader-progress.ts';
import type { Clock } from '../../runtime/src/foundation/clock.ts';
import type { Disk } from '../../runtime/src/ports/disk.ts';
import type { Leadership, LeadershipPort } from '../../runtime/src/ports/leadership.ts';
import type { LeaseRenewals } from '../../runtime/src/ports/lease-renewals.ts';
import type { InternalHandlers, Peers } from '../../runtime/src/ports/peers.ts';
import type { ProviderStore } from '../../runtime/src/ports/provider-store.ts';
import type { StateProvider } from '../../runtime/src/ports/state-provider.ts';
import type { StorageService } from '../../runtime/src/services/storage-service.ts';
import {
  absentIsExpired,
  acknowledgeEarly,
  answersEarly,
  appointAnyone,
  DeadlineFromAnswer,
  endlessLease,
  epochNotCompared,
  forgetful,
  KeptDeadline,
  readsWithoutLease,
  suspensionUnseen,
  withoutTheLock,
  writesWithLease,
} from './cluster-bug-ports.ts';
import {
  type ClusterFocus,
  cutFocus,
  leftBehindFocus,
  stallFocus,
  suspendFocus,
} from './cluster-focuses.ts';
import type { ClusterWorld, Machine } from './cluster-machine.ts';
import {
  GrantFromAnswer,
  grantForgotten,
  grantWithoutReading,
  promiseInGrant,
  someSeats,
} from './cluster-peer-lease-ports.ts';

import { neverForbidden } from './cluster-stalls.ts';

/** What clients of a process see of its storage. */
export type ServedStorage = Pick<StorageService, 'isWritable' | 'read' | 'write'>;

/** What is wrong in one process; each part is optional. */
export interface Planting {
  readonly clock?: (clock: Clock) => Clock;
  readonly disk?: (disk: Disk) => Disk;
  readonly provider?: (provider: StateProvider, of: 'failover' | 'coordinator') => StateProvider;
  readonly leadership?: (port: LeadershipPort) => LeadershipPort;
  readonly served?: (storage: ServedStorage) => ServedStorage;
  readonly peers?: (peers: Peers) => Peers;
  readonly handlers?: (handlers: InternalHandlers) => InternalHandlers;
  readonly required?: RequiredSeats;
  readonly renewals?: (renewals: LeaseRenewals) => LeaseRenewals;
  /** As the coordinator knows it. */
  readonly topology?: (topology: Topology) => Topology;
  /** As leadership knows it. */
  readonly identity?: (identity: InstanceIdentity) => InstanceIdentity;
  /** Its coordinator is not told that failover is paused. */
  readonly hearsOfNoPause?: boolean;
  /** It writes on while leadership is handed over. */
  readonly neverFreezes?: boolean;
}

/** Ports as they are. */
export const NOTHING_PLANTED: Required<
  Pick<
    Planting,
    | 'clock'
    | 'disk'
    | 'peers'
    | 'handlers'
    | 'leadership'
    | 'served'
    | 'identity'
    | 'topology'
    | 'renewals'
  >
> = {
  clock: (clock) => clock,
  renewals: (renewals) => renewals,
  disk: (disk) => disk,
  peers: (peers) => peers,
  handlers: (handlers) => handlers,
  leadership: (port) => port,
  served: (storage) => storage,
  identity: (identity) => identity,
  topology: (topology) => topology,
};

export interface PlantedProcess {
  readonly machine: Machine;
  readonly world: ClusterWorld;
  readonly clock: Clock;
  readonly ttlMs: number;
  /** What the real failover service says now. */
  readonly current: () => Leadership;
}

export interface ClusterBug {
  readonly name: string;
  /** The rule that it breaks. */
  readonly rule: string;
  /** Not far before a seed that finds it, for whoever has little time. */
  readonly from: number;
  /** What the checker says of it; anything else is another bug. */
  readonly finding: RegExp;
  /** Where the mixture of all faults finds it too seldom. */
  readonly focus?: ClusterFocus;
  readonly plant: (process: PlantedProcess) => Planting;
  /** What is wrong between every client and the store. */
  readonly tampered?: (store: ProviderStore) => ProviderStore;
}

const TWO = /two are writable/;
const LOST = /misses acknowledged rows/;

export const clusterBugs: readonly ClusterBug[] = [
  {
    name: 'deadline-from-answer',
    rule: 'the deadline of a lease counts from the moment of sending',
    ...{ from: 5, finding: TWO },
    focus: { name: 'cluster-isolate', faults: ['isolate'], sets: [3, 3], everyMs: 2500 },
    plant: ({ clock, ttlMs, machine }: PlantedProcess): Planting => {
      const deadlines = new DeadlineFromAnswer(clock, ttlMs);
      return {
        provider: (provider, of) =>
          of === 'failover' ? deadlines.provider(provider, machine.uuid) : provider,
        leadership: (port) => deadlines.leadership(port),
      };
    },
  },
  {
    name: 'absent-is-expired',
    rule: 'the absence of a lease starts a full wait',
    ...{ from: 4, finding: TWO },
    focus: { name: 'cluster-late', faults: ['learns-late'], sets: [3, 3] },
    plant: ({ world }) => ({
      provider: (provider, of) =>
        of === 'coordinator'
          ? absentIsExpired(provider, Object.keys(world.topology.replicasets))
          : provider,
    }),
  },
  {
    name: 'acknowledge-early',
    rule: 'from sending a change of the in-sync members on, both the old and the new acknowledge',
    ...{ from: 1, finding: LOST },
    plant: () => ({ required: acknowledgeEarly }),
  },
  {
    name: 'forgetful-promise',
    rule: 'a promised term is persisted before it is reported',
    ...{ from: 1, finding: /answered before its promise/ },
    plant: ({ clock }) => ({ disk: (disk) => forgetful(disk, clock, 'promised.json') }),
  },
  {
    name: 'appoint-anyone',
    rule: 'only in-sync members are appointed',
    ...{
      from: 5,
      finding:
        /misses acknowledged rows|was appointed, in sync were|without ever having had a seat/,
    },
    plant: ({ world }) => ({
      provider: (provider, of) =>
        of === 'coordinator' ? appointAnyone(provider, world.seatsOf) : provider,
    }),
  },
  {
    name: 'suspension-unseen',
    rule: 'a wall clock that jumps against the monotonic one counts as expired',
    ...{ from: 7, finding: TWO, focus: suspendFocus },
    plant: () => ({ clock: suspensionUnseen }),
  },
  {
    name: 'lease-unchecked-at-answer',
    rule: 'the lease is checked when a write is answered, not only when it is applied',
    ...{ from: 3, finding: /answered row \d+ after term \d+ had begun/ },
    focus: { name: 'cluster-pause', faults: ['pause'], sets: [3, 3] },
    plant: ({ clock, current }) => ({
      leadership: endlessLease,
      served: (storage) =>
        writesWithLease(
          storage,
          () => {
            const leadership = current();
            return leadership.kind === 'leader' && clock.monotonicMs() < leadership.deadlineMs;
          },
          () => new ClusterError('NO_LEADER'),
        ),
    }),
  },
  {
    name: 'appointed-without-the-lock',
    rule: 'one transaction compares lock, leader and lease',
    ...{ from: 1, finding: /appointed in term \d+ while .* had the lock/ },
    focus: { name: 'cluster-lock', faults: ['pod-lost', 'isolate'], sets: [3, 3] },
    plant: ({ clock, ttlMs }) => ({
      provider: (provider, of) =>
        of === 'coordinator' ? withoutTheLock(provider, clock, 1.3 * ttlMs) : provider,
    }),
  },
  {
    name: 'handover-keeps-its-deadline',
    rule: 'once a handover is sent, the old deadline is void',
    ...{ from: 4, finding: TWO },
    focus: { name: 'cluster-handover', faults: ['handover', 'cut-one-link'] },
    plant: ({ clock }: PlantedProcess): Planting => {
      const kept = new KeptDeadline(clock);
      return {
        provider: (provider, of) => (of === 'failover' ? kept.provider(provider) : provider),
        leadership: (port) => kept.leadership(port),
        neverFreezes: true,
      };
    },
  },
  {
    name: 'term-goes-on',
    rule: 'every start of a leader needs a new term',
    // Its log protects it: it does not begin, and by renewing its lease it keeps everybody else from it.
    ...{ from: 2, finding: /went on after a start|nothing was acknowledged/ },
    focus: { name: 'cluster-starts', faults: ['pod-lost', 'kill'] },
    plant: () => ({
      identity: (identity) => ({ ...identity, incarnation: 1 }),
    }),
  },
  {
    name: 'reads-without-lease',
    rule: 'a leader answers no read after its lease',
    ...{ from: 1, finding: /(register|list) .*: nothing explains/ },
    focus: { name: 'cluster-isolate', faults: ['isolate', 'pause'], sets: [3, 3] },
    plant: ({ current }) => ({
      served: (storage) => readsWithoutLease(storage, () => current().kind === 'leader'),
    }),
  },
  {
    name: 'answers-early',
    rule: 'a write is answered when every in-sync member has it',
    ...{ from: 10, finding: /(register|list) .*: nothing explains/ },
    plant: () => ({ served: answersEarly }),
  },
  {
    name: 'epoch-not-compared',
    rule: 'a store that was set up anew takes nothing that was meant for the one before it',
    ...{ from: 6, finding: /went back from term|had the lock/ },
    focus: { name: 'cluster-again', faults: ['provider-counts-again'] },
    plant: () => ({}),
    tampered: epochNotCompared,
  },
  {
    name: 'renewed-for-ever',
    rule: 'a lease is renewed beside a main loop that stands still only for a while',
    ...{ from: 8, finding: /was renewed, though its main loop had stood still/, focus: stallFocus },
    plant: () => ({ renewals: neverForbidden }),
  },
  {
    name: 'promise-in-grant',
    rule: 'who has granted a peer lease promises nothing until it has ended',
    ...{ from: 1, finding: TWO, focus: leftBehindFocus },
    plant: () => ({ handlers: promiseInGrant }),
  },
  {
    name: 'grant-forgotten',
    rule: 'a grant is on the disk before it is given',
    ...{ from: 1, finding: TWO, focus: leftBehindFocus },
    plant: () => ({ disk: grantForgotten }),
  },
  {
    name: 'some-seats',
    rule: 'every other seat grants, confirmed or pending',
    ...{ from: 1, finding: TWO, focus: leftBehindFocus },
    plant: ({ machine, world }) => ({
      peers: (peers) => someSeats(peers, () => world.seatsOf(machine.replicaSetUuid)),
    }),
  },
  {
    name: 'grant-from-answer',
    rule: 'a grant counts from the moment at which it was asked for',
    ...{ from: 1, finding: TWO, focus: leftBehindFocus },
    plant: (): Planting => {
      const late = new GrantFromAnswer();
      return { peers: (peers) => late.peers(peers) };
    },
  },
  {
    name: 'grant-without-reading',
    rule: 'who can read the state provider grants nothing',
    ...{ from: 1, finding: /leads without the provider/, focus: cutFocus },
    plant: () => ({
      provider: (provider, of) => (of === 'failover' ? grantWithoutReading(provider) : provider),
    }),
  },
];
