/**
 * Processes whose main loop stands still while the thread that renews their lease runs on.
 *
 * A lease is renewed for a while then, and not for ever: whoever never comes back must be followed by another.
 */
import { leaseSchema, providerKeys } from '../../runtime/src/contract/provider-records.ts';
import { permittedUntilMs } from '../../runtime/src/core/failover/renewal-permission.ts';
import type { Clock } from '../../runtime/src/foundation/clock.ts';
import type { LeaseRenewals, StartedRenewals } from '../../runtime/src/ports/lease-renewals.ts';
import { LoopRenewals } from '../../runtime/src/services/loop-renewals.ts';
import type { FaultMoment, FaultWorld } from './cluster-fault-kinds.ts';
import type { Machine } from './cluster-machine.ts';
import { type Gate, gatedClock } from './gate.ts';

/** A thread reads the clock of its machine, and has a client of its own; the main loop hears of it when it runs. */
export function threadRenewals(
  machine: Machine,
  gates: { readonly main: Gate; readonly thread: Gate },
  changed: (clock: Clock) => Clock,
): LeaseRenewals {
  const clock = changed(gatedClock(machine.clock, gates.thread));
  const renewals = new LoopRenewals({
    ...{ clock, random: machine.random },
    openProvider: () => machine.openProvider(clock, () => gates.thread.pass()),
  });
  return {
    start: (target) => {
      const started = renewals.start(target);
      return replaced(started, (task, onNews) =>
        started.begin(task, () => void gates.main.pass().then(onNews)),
      );
    },
  };
}

/** A planted bug: the thread renews, whatever the main loop says. */
export function neverForbidden(renewals: LeaseRenewals): LeaseRenewals {
  return {
    start: (target) => {
      const started = renewals.start(target);
      return replaced(started, (task, onNews) => {
        const running = started.begin(task, onNews);
        running.permit(Number.POSITIVE_INFINITY);
        return {
          get state() {
            return running.state;
          },
          get end() {
            return running.end;
          },
          permit: () => undefined,
          stop: () => running.stop(),
        };
      });
    },
  };
}

function replaced(started: StartedRenewals, begin: StartedRenewals['begin']): StartedRenewals {
  return {
    get isReady() {
      return started.isReady;
    },
    get end() {
      return started.end;
    },
    begin,
    stop: () => started.stop(),
  };
}

/** What was sent in the last moment may take so long; and clocks may run slowly. */
const LATE_MS = 700;
const SLOWEST = 1.05;

/** Half of them are longer than leases are renewed for. */
export function stall(world: FaultWorld, { machine, forMs, random }: FaultMoment): void {
  const { process } = machine;
  if (process?.gate.isOpen !== true) return;
  const ttlMs = machine.world.topology.failover.fencing_ttl * 1000;
  const renewedMs = SLOWEST * permittedUntilMs(0, ttlMs) + LATE_MS;
  const lastsMs = forMs + (random.chance(0.5) ? renewedMs : 0);
  process.gate.pause();
  const pause = process.gate.pauses;
  const standsStill = (): boolean =>
    machine.process === process && !process.gate.isOpen && process.gate.pauses === pause;
  let before: string | undefined;
  world.after(renewedMs, () => {
    if (standsStill()) before = ownNonce(world, machine);
  });
  world.after(lastsMs, () => {
    const last = standsStill() ? ownNonce(world, machine) : undefined;
    if (last !== undefined) world.count('leases of main loops that stood still');
    if (last !== undefined && before !== undefined && last !== before) {
      world.violate(
        `the lease of ${machine.name} was renewed, though its main loop had stood still for ${Math.round(lastsMs)} ms`,
      );
    }
    process.gate.resume();
  });
}

/** Of the record, as long as it names this process. */
function ownNonce({ store }: FaultWorld, machine: Machine): string | undefined {
  const key = providerKeys.lease(machine.replicaSetUuid);
  const value = store.list(key).entries[0]?.value;
  const lease = value === undefined ? undefined : leaseSchema.parse(JSON.parse(value));
  const isOwn = lease?.holder === machine.uuid && lease.incarnation === machine.incarnation;
  return isOwn && !lease.released ? lease.nonce : undefined;
}
