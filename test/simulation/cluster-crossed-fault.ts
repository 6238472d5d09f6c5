/**
 * Terms that cross each other, as in figure 8 of the Raft paper: a first leader has rows that nobody else has; a second
 * one begins a term of its own and is cut off; the first one comes back and gives its rows to the third; and then it is
 * the first that is cut off. Now the second one may lead again, with the third one's vote, and without these rows.
 */
import { comparePositions } from '../../runtime/src/core/failover/seats.ts';
import type { FaultMoment, FaultWorld } from './cluster-fault-kinds.ts';
import { endOf, logOf } from './cluster-logs.ts';
import type { Machine } from './cluster-machine.ts';

/** Before anybody can have got a row of a new term. */
const POLL_MS = 1;
const LIMIT_MS = 6000;

export function crossTerms(world: FaultWorld, { forMs }: FaultMoment): void {
  const set = world.machines;
  const first = set.find(({ isWritable }) => isWritable);
  if (set.length !== 3 || first === undefined || set.some(({ isRunning }) => !isRunning)) return;
  const term = endOf(logOf(first.disk)).term;
  const until = untilMs(world, LIMIT_MS);
  cutOff(world, first);
  until(
    () => set.find(({ disk }) => endOf(logOf(disk)).term > term),
    (second) => {
      const last = endOf(logOf(first.disk));
      const third = set.find((machine) => machine !== first && machine !== second);
      cutOff(world, second);
      until(
        () => (third && comparePositions(endOf(logOf(third.disk)), last) >= 0 ? third : undefined),
        () => cutOff(world, first),
      );
    },
  );
  world.after(LIMIT_MS + forMs, () => world.network.healCuts());
}

/** From all others; those that were cut off before are there again. */
function cutOff({ network, machines }: FaultWorld, machine: Machine): void {
  network.healCuts();
  for (const other of machines) if (other !== machine) network.cut(machine.uuid, other.uuid);
}

type Until = (find: () => Machine | undefined, happen: (found: Machine) => void) => void;

function untilMs({ after }: FaultWorld, limitMs: number): Until {
  let leftMs = limitMs;
  const until: Until = (find, happen) => {
    const found = find();
    leftMs -= POLL_MS;
    if (found !== undefined) happen(found);
    else if (leftMs > 0) after(POLL_MS, () => until(find, happen));
  };
  return until;
}
