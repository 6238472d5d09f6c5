/** Every kind of fault, one entry each. `happen` begins it; it sees to its end by `world.after`. */
import { LARGEST_CLOCK_JUMP_MS } from '../../runtime/src/core/failover/lease-hold.ts';
import { sameSeat } from '../../runtime/src/core/failover/seats.ts';
import { pauseFailover } from '../../runtime/src/services/failover-pause.ts';
import type { SeededRandom } from '../../runtime/src/testing/seeded-random.ts';
import type { SimulatedNetwork } from '../../runtime/src/testing/simulated-peers.ts';
import type { ProviderFaults } from '../../runtime/src/testing/simulated-state-provider.ts';
import type { SimulatedStore } from '../../runtime/src/testing/simulated-store.ts';
import { crossTerms } from './cluster-crossed-fault.ts';
import { forcePromotion } from './cluster-forced-fault.ts';
import type { Machine } from './cluster-machine.ts';
import { stall } from './cluster-stalls.ts';

export interface FaultWorld {
  readonly network: SimulatedNetwork;
  readonly store: SimulatedStore;
  readonly machines: readonly Machine[];
  /** Calls it so much later, unless all faults have ended before. */
  readonly after: (delayMs: number, happen: () => void) => void;
  readonly start: (machine: Machine) => Promise<void>;
  readonly count: (what: string) => void;
  readonly violate: (message: string) => void;
}

export interface FaultMoment {
  readonly machine: Machine;
  readonly forMs: number;
  readonly random: SeededRandom;
}

export interface FaultKind {
  readonly name: string;
  /** In which part of the runs it may happen at all; 0: only where it is asked for. Default all. */
  readonly share?: number;
  /** How often, compared to others. Default 1. */
  readonly weight?: number;
  readonly happen: (world: FaultWorld, moment: FaultMoment) => void;
}

export const faultKinds: readonly FaultKind[] = [
  { name: 'kill', happen: (world, moment) => down(world, moment, (one) => one.kill(true)) },
  { name: 'pod-lost', happen: (world, moment) => down(world, moment, (one) => one.kill(false)) },
  { name: 'stop', happen: stop },
  { name: 'reboot', happen: (world, moment) => down(world, moment, (one) => one.reboot()) },
  { name: 'all-reboot', happen: (world, moment) => all(world, moment, (one) => one.reboot()) },
  { name: 'provider-forgets', share: 0.2, happen: ({ store }) => store.forget() },
  {
    name: 'all-killed',
    happen: (world, moment) =>
      all(world, moment, (machine) => machine.kill(moment.random.chance(0.8))),
  },
  { name: 'pause', happen: pause },
  { name: 'suspend', happen: suspend },
  { name: 'cut-one-link', happen: (world, moment) => cut(world, moment, false) },
  { name: 'cut-from-peers', happen: (world, moment) => cut(world, moment, true) },
  { name: 'isolate', happen: isolate },
  { name: 'cut-from-provider', happen: ofOne({ reach: 'silent' }) },
  { name: 'provider-refuses', happen: ofOne({ reach: 'refused' }) },
  {
    name: 'provider-slow',
    happen: (world, moment) => ofOne({ delayMs: moment.random.pick([200, 600]) })(world, moment),
  },
  { name: 'replies-lost', happen: ofOne({ loseReply: 0.5, delayMs: 60 }) },
  { name: 'learns-late', happen: learnsLate },
  { name: 'provider-down', happen: ofAll({ reach: 'silent' }) },
  { name: 'provider-down-at-once', happen: ofAll({ reach: 'refused' }) },
  { name: 'watches-lost', happen: (_world, { machine }) => machine.breakWatches() },
  { name: 'lease-lost', happen: loseLease },
  { name: 'handover', weight: 2, happen: handover },
  { name: 'suspended-away', share: 0, happen: suspendAway },
  { name: 'stall', share: 0, weight: 4, happen: stall },
  { name: 'provider-counts-again', share: 0, happen: countAgain },
  { name: 'forced-promotion', share: 0, happen: forcePromotion },
  { name: 'terms-crossed', share: 0, happen: crossTerms },
  { name: 'failover-paused', share: 0, happen: pauseAll },
  { name: 'unhealthy', share: 0, happen: failToWork },
  { name: 'provider-away', share: 0, happen: awayForAll },
  { name: 'provider-away-for-some', share: 0, happen: awayForSome },
  { name: 'leader-left-behind', share: 0, happen: leaveBehind },
  {
    name: 'long-cut-from-provider',
    share: 0,
    happen: (world, { machine, forMs }) =>
      disturbProvider(world, [machine], { reach: 'silent' }, 4000 + forMs),
  },
];

function down(
  { after, start }: FaultWorld,
  { machine, forMs }: FaultMoment,
  end: (machine: Machine) => void,
): void {
  if (machine.process === undefined) return;
  end(machine);
  after(forMs, () => void start(machine));
}

/** It starts again when it has ended; it is killed when that takes too long. */
function stop({ after, start, violate }: FaultWorld, { machine, forMs }: FaultMoment): void {
  const { process } = machine;
  if (process === undefined) return;
  machine.stop().then(
    () => start(machine),
    (error: unknown) => violate(`it did not stop: ${String(error)}`),
  );
  after(forMs, () => {
    if (machine.process === process) machine.kill(true);
    void start(machine);
  });
}

function all(
  { machines, after, start }: FaultWorld,
  { forMs, random }: FaultMoment,
  end: (machine: Machine) => void,
): void {
  for (const machine of machines) {
    end(machine);
    const lateMs = random.fraction() * 300;
    after(forMs / 4 + lateMs, () => void start(machine));
  }
}

function pause({ after }: FaultWorld, { machine: { process }, forMs }: FaultMoment): void {
  process?.pause();
  after(forMs, () => process?.resume());
}

/** Those that do not answer are left out, and whoever starts meanwhile is not paused. */
function pauseAll({ network, machines, after }: FaultWorld, { machine, forMs }: FaultMoment): void {
  const { topology } = machine.world;
  pauseFailover(network.peersFor('operator'), topology, true).catch(() => undefined);
  after(1000 + forMs, () => {
    for (const { process } of machines) process?.changes.pause(false);
  });
}

/** For as long as it takes until somebody looks, twice. */
function failToWork({ after }: FaultWorld, { machine, forMs }: FaultMoment): void {
  machine.state = 'OperationError';
  after(4000 + 2 * forMs, () => {
    machine.state = 'RolesConfigured';
  });
}

/** Not a pause for the machine: its monotonic clock stands still meanwhile. */
function suspend({ after }: FaultWorld, { machine, forMs }: FaultMoment): void {
  const { process, clock } = machine;
  if (process?.gate.isOpen !== true) return;
  process.pause();
  after(forMs, () => {
    clock.resumed(forMs);
    process.resume();
  });
}

/** Isolated, and meanwhile suspended for about as long as is still taken for a jitter of the clocks. */
function suspendAway(world: FaultWorld, moment: FaultMoment): void {
  isolate(world, moment);
  const forMs = moment.random.fraction() * 1.2 * LARGEST_CLOCK_JUMP_MS;
  suspend(world, { ...moment, forMs });
}

function ofOne(faults: Partial<ProviderFaults>): FaultKind['happen'] {
  return (world, { machine, forMs }) => disturbProvider(world, [machine], faults, forMs);
}

function ofAll(faults: Partial<ProviderFaults>): FaultKind['happen'] {
  return (world, { forMs }) => disturbProvider(world, world.machines, faults, forMs);
}

function disturbProvider(
  { after }: FaultWorld,
  machines: readonly Machine[],
  ...[faults, forMs]: readonly [Partial<ProviderFaults>, number]
): void {
  for (const machine of machines) machine.setProviderFaults(faults);
  after(forMs, () => {
    for (const machine of machines) machine.setProviderFaults({});
  });
}

function cut(world: FaultWorld, { machine, forMs, random }: FaultMoment, fromAll: boolean): void {
  const { network, machines, after } = world;
  const others = machines.filter((other) => other !== machine);
  const lost = fromAll ? others : [random.pick(others)];
  for (const other of lost) network.cut(machine.uuid, other.uuid);
  after(forMs, () => network.healCuts());
}

/** Only clients reach it. */
function isolate(world: FaultWorld, moment: FaultMoment): void {
  cut(world, moment, true);
  disturbProvider(world, [moment.machine], { reach: 'silent' }, moment.forMs);
}

/** Its renewals are applied and their answers lost; it learns late what was applied; then it is isolated. */
function learnsLate(world: FaultWorld, moment: FaultMoment): void {
  const { machine, random } = moment;
  const { fencing_ttl: ttl } = machine.world.topology.failover;
  const lateMs = (0.25 + random.fraction() * 0.5) * ttl * 1000;
  const awayMs = lateMs + (0.05 + random.fraction() * 0.3) * ttl * 1000;
  const losesLease = random.chance(0.5);
  machine.setProviderFaults({ loseReply: 1 });
  world.after(lateMs, () => machine.setProviderFaults({}));
  world.after(awayMs, () => {
    isolate(world, moment);
    if (losesLease) loseLease(world, moment);
  });
}

/** It forgets, soon gives revisions again that it has just given, and requests from before arrive only then. */
function countAgain(world: FaultWorld, { machine, random }: FaultMoment): void {
  const { store, after } = world;
  disturbProvider(world, [machine], { delayMs: 2000 }, 800);
  after(200 + random.fraction() * 600, () => {
    store.forget(Math.max(0, store.revision - 2 - random.integer(3)));
  });
}

function loseLease({ store }: FaultWorld, { machine }: FaultMoment): void {
  const key = `lease/${machine.replicaSetUuid}`;
  store.transact({ compare: [], writes: [{ kind: 'delete', key }] });
}

function handover({ count }: FaultWorld, { machine: { process } }: FaultMoment): void {
  process?.failover.handover(undefined, 'asked for').then(
    () => count('handed over'),
    // Refused: it does not lead, or nobody can take over.
    () => undefined,
  );
}

/**
 * Longer than a lease lasts without peers; the next outage comes only when this one has been over for long, and none
 * before all are in sync: a majority that synchronous spaces need cannot be stored in an outage.
 */
function awayForAll(world: FaultWorld, { machine: met, forMs, random }: FaultMoment): void {
  const isBeginning = met.world.clock.monotonicMs() < 1500;
  const isRecent = isBeginning || world.machines.some((machine) => machine.providerCalmMs < 1500);
  const isWhole = world.machines.every((machine) =>
    world.machines.some(({ process }) => {
      const current = process?.failover.current();
      const seats = current?.kind === 'leader' ? current.inSync : [];
      return seats.some((seat) => sameSeat(seat, machine.seat));
    }),
  );
  if (isRecent || !isWhole) return;
  const reach = random.pick(['silent', 'refused'] as const);
  disturbProvider(world, world.machines, { reach }, 2 * forMs);
}

/** Some lose it, and get it back one after the other. */
function awayForSome(world: FaultWorld, { forMs, random }: FaultMoment): void {
  const reach = random.pick(['silent', 'refused'] as const);
  for (const machine of world.machines) {
    const ownMs = forMs * (0.5 + 1.5 * random.fraction());
    if (random.chance(0.7)) disturbProvider(world, [machine], { reach }, ownMs);
  }
}

/** The last set loses the provider; when its grants are fresh, its leader is isolated, and the others are back. */
function leaveBehind(world: FaultWorld, { forMs, random }: FaultMoment): void {
  const { machines, after } = world;
  const last = machines.at(-1);
  const set = machines.filter(({ replicaSetUuid }) => replicaSetUuid === last?.replicaSetUuid);
  const leader = set.find(({ isWritable }) => isWritable);
  if (leader === undefined) return;
  const ttlMs = leader.world.topology.failover.fencing_ttl * 1000;
  const restarts = random.chance(0.4);
  for (const machine of set) machine.setProviderFaults({ reach: 'refused' });
  after((0.5 + 0.6 * random.fraction()) * ttlMs, () => {
    isolate(world, { machine: leader, forMs: Math.max(forMs, 2 * ttlMs), random });
    for (const other of set.filter((machine) => machine !== leader)) {
      other.setProviderFaults({});
      const moment = { machine: other, forMs: 0.1 * random.fraction() * ttlMs, random };
      if (restarts) down(world, moment, (machine) => machine.kill(true));
    }
  });
}
