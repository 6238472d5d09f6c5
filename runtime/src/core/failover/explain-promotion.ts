/** Says why a leader that somebody asked for was not appointed, and what to do. */
import type { ErrorCode } from '../errors.ts';
import type { KeepReason, ReplicaSetSnapshot } from './appointments.ts';

export interface Refusal {
  readonly code: ErrorCode;
  readonly message: string;
}

/** @param nameOf how people call an instance */
export function explainPromotion(
  set: ReplicaSetSnapshot,
  reason: KeepReason | undefined,
  nameOf: (uuid: string) => string,
): Refusal {
  const who = set.wish?.to === undefined ? 'An instance' : `Instance ${nameOf(set.wish.to)}`;
  const failed = `${who} was not appointed in replica set ${set.uuid}`;
  const refuse = (code: ErrorCode, why: string): Refusal => ({
    code,
    message: `${failed}: ${why}`,
  });
  switch (reason) {
    case 'force-not-needed': {
      const seated = presentSeats(set).map(nameOf).join(', ');
      return refuse(
        'STATE_FORBIDS',
        `${seated} was in sync and is there, so nothing has to be given up. Promote it without force; if it may not lead, make it electable and enabled.`,
      );
    }
    case 'force-needs-stopped': {
      const silent = list(unproven(set), nameOf);
      return refuse(
        'STATE_FORBIDS',
        `${silent} does not answer, and nothing proves that it does not lead any more: it may go on writing without the state provider. Stop it for good, then name it as stopped (field "stopped", or --stopped).`,
      );
    }
    case 'lease-not-expired':
      return refuse(
        'STATE_FORBIDS',
        `the lease of ${nameOf(holderOf(set))} may still hold, and it does not answer. Ask again in a moment.`,
      );
    case 'current-leader-healthy':
      return refuse(
        'PEER_UNREACHABLE',
        `its leader ${nameOf(holderOf(set))} renews its lease, but could not be asked to hand over. Look at the network between it and the coordinator.`,
      );
    case 'waiting-for-all-members':
      return refuse(
        'NOT_IN_SYNC',
        `the state provider has forgotten who was in sync, and ${list(silentMembers(set), nameOf)} did not answer. Start it; or, if its rows are lost for good, use force: what only it has is given up.`,
      );
    case 'promises-refused':
      return refuse('STATE_FORBIDS', 'instances have promised higher terms meanwhile. Ask again.');
    default:
      return refuse('NOT_IN_SYNC', explainMissing(set, nameOf));
  }
}

function explainMissing(set: ReplicaSetSnapshot, nameOf: (uuid: string) => string): string {
  const seats = set.appointment?.inSync ?? [];
  const missing = seats.map(({ uuid, incarnation }) => {
    const report = set.round?.reports.get(uuid);
    if (report === undefined) return `${nameOf(uuid)} (does not answer)`;
    if (report.logIncarnation !== incarnation)
      return `${nameOf(uuid)} (has lost the end of its log)`;
    return `${nameOf(uuid)} (may not lead)`;
  });
  const wished = set.round?.reports.get(set.wish?.to ?? '');
  const end = set.acknowledged?.sequence;
  const own = wished?.position.sequence;
  const cost =
    end === undefined || own === undefined
      ? 'how many they are is not known'
      : `at least ${Math.max(0, end - own)} acknowledged rows`;
  return `in sync were ${missing.join(', ')}. Start one of these, or make it electable and enabled. Only if they are lost for good use force: the rows that only they have are given up, ${cost}.`;
}

function presentSeats(set: ReplicaSetSnapshot): readonly string[] {
  const seats = set.appointment?.inSync ?? [];
  return seats
    .filter(({ uuid, incarnation }) => set.round?.reports.get(uuid)?.logIncarnation === incarnation)
    .map(({ uuid }) => uuid);
}

function silentMembers(set: ReplicaSetSnapshot): readonly string[] {
  return set.members
    .map(({ uuid }) => uuid)
    .filter((uuid) => set.round?.reports.has(uuid) !== true);
}

/** Its holder, where the lease is what matters; any that is silent where the state provider knows no lease. */
function unproven(set: ReplicaSetSnapshot): readonly string[] {
  const silent = silentMembers(set);
  const holder = holderOf(set);
  return silent.includes(holder) ? [holder] : silent;
}

function holderOf(set: ReplicaSetSnapshot): string {
  return set.lease?.holder ?? set.appointment?.leader ?? '';
}

function list(uuids: readonly string[], nameOf: (uuid: string) => string): string {
  return uuids.map(nameOf).join(', ');
}
