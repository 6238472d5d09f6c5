/**
 * User sections of the cluster config. The operator owns exactly those that the Cluster names, now or before: the
 * status records them, and it is written before the change, so a section that is removed from the Cluster is found and
 * deleted even when the operator dies in between. All other sections belong to those who made them.
 */
import { sameJson } from '@tonearm/runtime/config';
import type { Json } from '@tonearm/runtime/contract';
import type { ClusterSnapshot } from '../snapshot.ts';
import type { Verdict } from '../verdict.ts';
import { type WantedSections, wantedSections } from '../wanted-sections.ts';

export function keepSections(snapshot: ClusterSnapshot): readonly Verdict[] {
  const wanted = wantedSections(snapshot);
  if (wanted.kind === 'unusable') {
    return [{ kind: 'refuse', reason: wanted.reason, message: wanted.message }];
  }
  const changed = changedSections(snapshot, wanted);
  if (changed.length === 0) return [];
  return [
    {
      kind: 'edit',
      edit: (draft) => {
        const others = new Map<string, Json>(Object.entries(draft.others));
        for (const [name, value] of changed) {
          if (value === undefined) others.delete(name);
          else others.set(name, value);
        }
        return { kind: 'edited', draft: { ...draft, others: Object.fromEntries(others) } };
      },
      reason: 'ChangingConfig',
      message: `Config section ${changed.map(([name]) => name).join(', ')} is changed.`,
    },
  ];
}

/** A section without a value goes. */
function changedSections(
  { cluster, config }: ClusterSnapshot,
  wanted: WantedSections,
): readonly (readonly [string, Json | undefined])[] {
  const names = new Set([
    ...Object.keys(wanted.sections),
    ...(cluster.status?.managedSections ?? []),
  ]);
  return [...names]
    .toSorted()
    .map((name) => [name, wanted.sections[name]] as const)
    .filter(([name, value]) => !sameJson(config?.sections[name], value));
}
