/**
 * Gathers the edits of a round into one change of the cluster config.
 *
 * A wish that an instance has refused is not repeated until it changes, or those who judge it: the same config would be
 * refused again, and each attempt would lock every instance for nothing.
 */
import { hashJson } from '@tonearm/runtime/config';
import { closeDraft, openDraft, toJson } from './config-draft.ts';
import { isDown, seatsOf } from './seats.ts';
import type { ClusterSnapshot } from './snapshot.ts';
import { statusOf } from './snapshot.ts';
import type { Action, ChangeTarget, Verdict } from './verdict.ts';
import { act } from './verdict.ts';
import { memberSets } from './wanted-sets.ts';

export function gatherChange(
  snapshot: ClusterSnapshot,
  verdicts: readonly Verdict[],
): readonly Verdict[] {
  // A rule that stopped has seen a reason to leave the cluster as it is.
  if (verdicts.some(({ kind }) => kind === 'stop')) return [];
  const edits = verdicts.filter((verdict) => verdict.kind === 'edit');
  if (edits.length === 0) return [];
  let draft = openDraft(snapshot.config);
  for (const { edit } of edits) {
    const edited = edit(draft);
    if (edited.kind === 'refused') {
      return [{ kind: 'refuse', reason: 'ConfigRefused', message: edited.message }];
    }
    draft = edited.draft;
  }
  const sections = closeDraft(draft, snapshot.config);
  if (sections === undefined) return [];
  const wish = hashJson({
    base: toJson(snapshot.config?.meta.checksum ?? ''),
    sections: toJson(sections),
    generation: snapshot.cluster.metadata.generation ?? 0,
    judges: toJson(judgesOf(snapshot)),
  });
  const last = snapshot.lastChange;
  if (last.kind === 'refused' && last.wish === wish) {
    return [
      {
        kind: 'refuse',
        reason: 'ConfigRefused',
        message: `The config was refused, and nothing was changed: ${last.message}`,
      },
    ];
  }
  const message = edits
    .map((edit) => edit.message)
    .join(' ')
    .slice(0, 500);
  const action: Action = {
    kind: 'change',
    wish,
    sections,
    targets: targetsOf(snapshot),
    missing: missingOf(snapshot),
    message,
  };
  return [act([action], 'ChangingConfig', message), ...explainDelay(snapshot, wish)];
}

/** New pods may run another application, which may accept what the one before has refused. */
function judgesOf({ instances, roles = [] }: ClusterSnapshot): unknown {
  const pods = instances.map(({ podName, createdMs }) => `${podName} ${createdMs}`).toSorted();
  return [pods, roles.map(({ name, dependencies }) => [name, ...dependencies]).toSorted()];
}

/** The same wish was tried before, and the outcome tells people what it waits for. */
function explainDelay({ lastChange }: ClusterSnapshot, wish: string): readonly Verdict[] {
  if (lastChange.kind !== 'aborted' && lastChange.kind !== 'undecided') return [];
  if (lastChange.wish !== wish) return [];
  return [{ kind: 'complain', reason: 'ConfigChangeBlocked', message: lastChange.reason }];
}

function targetsOf({ instances }: ClusterSnapshot): readonly ChangeTarget[] {
  return instances.flatMap((instance) => {
    const status = statusOf(instance);
    if (status === undefined) return [];
    return [{ uuid: status.uuid, name: instance.podName, address: instance.address }];
  });
}

/** Only what is known to be down is left out: a pod that is ready and silent may hold the lock of another change. */
function missingOf(snapshot: ClusterSnapshot): readonly string[] {
  if (snapshot.config === undefined) return [];
  return memberSets(snapshot)
    .flatMap((replicaSet) => seatsOf(snapshot, replicaSet))
    .flatMap((seat) => (seat.server !== undefined && isDown(seat) ? [seat.server.uuid] : []));
}
