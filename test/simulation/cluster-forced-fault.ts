/**
 * Somebody promotes by force: a follower is left behind, all in-sync members are lost, and the follower is made the
 * leader, with the loss of what only they have.
 *
 * Or they are not lost: the two sides do not reach each other, the old leader writes on by peer leases, and whoever
 * forces does not know; or one of them is still there, and nothing has to be given up. Then nothing may come of it.
 */
import type { FaultMoment, FaultWorld } from './cluster-fault-kinds.ts';
import type { Machine } from './cluster-machine.ts';

const POLL_MS = 100;
/** So long it is tried again: a lease must run out first. */
const ASKED_FOR_MS = 4000;

type Case = 'all-dead' | 'cut-off' | 'one-left';

export function forcePromotion(world: FaultWorld, { random, forMs }: FaultMoment): void {
  const last = world.machines.at(-1);
  const set = world.machines.filter(
    ({ replicaSetUuid }) => replicaSetUuid === last?.replicaSetUuid,
  );
  const leader = set.find(({ isWritable }) => isWritable);
  const isWhole = set.every(({ isRunning, hasCalmProvider }) => isRunning && hasCalmProvider);
  if (leader === undefined || !isWhole) return;
  const left = random.pick(set.filter((machine) => machine !== leader));
  const inSync = set.filter((machine) => machine !== left);
  const happens = random.pick<Case>(['all-dead', 'all-dead', 'cut-off', 'one-left']);
  // Now and then so long that a coordinator has heard of rows that are lost then.
  const behindMs = random.pick([500, 5000]);
  left.kill(true);
  whenLeftBehind(world, { leader, left }, () => {
    world.after(behindMs, () => {
      const stopped = lose(world, { inSync, leader, happens, forMs: ASKED_FOR_MS + forMs });
      void world.start(left);
      ask(world, left, stopped, ASKED_FOR_MS);
    });
  });
}

function whenLeftBehind(
  world: FaultWorld,
  { leader, left }: { readonly leader: Machine; readonly left: Machine },
  happen: () => void,
): void {
  const current = leader.process?.failover.current();
  if (current?.kind !== 'leader') void world.start(left);
  else if (current.inSync.every(({ uuid }) => uuid !== left.uuid)) happen();
  else world.after(POLL_MS, () => whenLeftBehind(world, { leader, left }, happen));
}

interface Loss {
  readonly inSync: readonly Machine[];
  readonly leader: Machine;
  readonly happens: Case;
  readonly forMs: number;
}

/** Gives those that are known to be stopped. */
function lose(world: FaultWorld, { inSync, leader, happens, forMs }: Loss): readonly Machine[] {
  if (happens === 'cut-off') {
    cutOff(world, inSync, forMs);
    return [];
  }
  const lost = happens === 'one-left' ? [leader] : inSync;
  for (const machine of lost) {
    machine.kill(false);
    world.after(forMs, () => void world.start(machine));
  }
  return lost;
}

/** They reach each other, and nobody else. */
function cutOff(
  { network, machines, after }: FaultWorld,
  side: readonly Machine[],
  forMs: number,
): void {
  for (const machine of side) {
    machine.setProviderFaults({ reach: 'silent' });
    for (const other of machines) {
      if (!side.includes(other)) network.cut(machine.uuid, other.uuid);
    }
  }
  after(forMs, () => {
    network.healCuts();
    for (const machine of side) machine.setProviderFaults({});
  });
}

function ask(world: FaultWorld, to: Machine, stopped: readonly Machine[], forMs: number): void {
  if (forMs <= 0) return;
  const again = (): void => world.after(POLL_MS, () => ask(world, to, stopped, forMs - POLL_MS));
  const active = world.machines.find(
    ({ isRunning, process }) => isRunning && process?.coordinator.active === true,
  );
  const force = { command: 'promote --force', stopped: stopped.map(({ uuid }) => uuid) };
  const body = { replicaSetUuid: to.replicaSetUuid, to: to.uuid, reason: 'by force', force };
  const asked = world.network
    .peersFor('operator')
    .call(active?.uuid ?? '', 'coordinator.promote', body, { timeoutMs: ASKED_FOR_MS });
  asked.then(
    () => world.count('promoted by force'),
    () => {
      world.count('force refused');
      again();
    },
  );
}
