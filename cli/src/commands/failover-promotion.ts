/** What `tonearm failover promote` asks for: names of instances and replica sets become UUIDs. */
import type { FailoverOverview } from '@tonearm/runtime/contract';
import { CommandError } from '../command-error.ts';

export interface PromotionNames {
  /** Who shall lead. */
  readonly instances: readonly string[];
  /** Where leaders shall change; of those without a named instance any fit member is taken. */
  readonly replicaSets: readonly string[];
  readonly stopped: readonly string[];
}

export interface PromotionPlan {
  readonly leaders: readonly { readonly replicaSetUuid: string; readonly to?: string }[];
  readonly stopped: readonly string[];
  readonly stoppedNames: readonly string[];
}

export function planPromotion(overview: FailoverOverview, names: PromotionNames): PromotionPlan {
  const members = overview.replicaSets.flatMap((set) =>
    set.members.map((member) => ({ ...member, set })),
  );
  const stopped = names.stopped.map((name) => find(members, name, 'instance'));
  const sets = names.replicaSets.map((name) => find(overview.replicaSets, name, 'replica set'));
  const named = names.instances.map((name) => find(members, name, 'instance'));
  if (named.length + sets.length === 0) {
    throw usage(
      'name the instances that shall lead, or with --replica-set where any fit one shall',
    );
  }
  const twice = named.find(({ set }, at) => named.findIndex((one) => one.set === set) !== at);
  if (twice !== undefined) {
    throw usage(`two instances of replica set ${twice.set.name} are named: it has one leader`);
  }
  const stranger = named.find(({ set }) => sets.length > 0 && !sets.includes(set));
  if (stranger !== undefined) {
    throw usage(`${stranger.name} is in replica set ${stranger.set.name}, which is not named`);
  }
  const open = new Set(sets.filter((set) => !named.some((one) => one.set === set)));
  return {
    leaders: [
      ...named.map(({ uuid, set }) => ({ replicaSetUuid: set.uuid, to: uuid })),
      ...[...open].map(({ uuid }) => ({ replicaSetUuid: uuid })),
    ],
    stopped: stopped.map(({ uuid }) => uuid),
    stoppedNames: stopped.map(({ name }) => name),
  };
}

function usage(message: string): CommandError {
  return new CommandError(message, 2);
}

function find<T extends { readonly uuid: string; readonly name: string }>(
  known: readonly T[],
  wanted: string,
  what: string,
): T {
  const found = known.filter(({ uuid, name }) => uuid === wanted || name === wanted);
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  if (only !== undefined) {
    throw usage(`more than one ${what} is called "${wanted}": give its UUID`);
  }
  const names = known.map(({ name }) => name).join(', ');
  throw usage(`there is no ${what} "${wanted}" in this cluster: ${names}`);
}
