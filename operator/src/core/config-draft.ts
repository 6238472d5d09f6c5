/**
 * The wanted cluster config while the rules edit it. All edits of one reconcile end in one draft, and so in one
 * two-phase change.
 */
import { sameJson, type TopologyEdit, topologyOf, vshardGroupsOf } from '@tonearm/runtime/config';
import type {
  ClusterConfig,
  Json,
  Sections,
  Topology,
  VshardGroups,
} from '@tonearm/runtime/contract';

export interface ConfigDraft {
  readonly topology: Topology;
  readonly groups: VshardGroups;
  /** All other sections. */
  readonly others: Sections;
}

export type Edited =
  | { readonly kind: 'edited'; readonly draft: ConfigDraft }
  | { readonly kind: 'refused'; readonly message: string };

export type Edit = (draft: ConfigDraft) => Edited;

export function openDraft(config: ClusterConfig | undefined): ConfigDraft {
  const others = Object.entries(config?.sections ?? {}).filter(
    ([name]) => name !== 'topology' && name !== 'vshard_groups',
  );
  return {
    topology: topologyOf(config),
    groups: vshardGroupsOf(config),
    others: Object.fromEntries(others),
  };
}

/** Nothing when the draft says what the config says already. */
export function closeDraft(
  draft: ConfigDraft,
  config: ClusterConfig | undefined,
): Sections | undefined {
  const before = openDraft(config);
  const sections: Sections = {
    ...draft.others,
    topology: toJson(draft.topology),
    vshard_groups: toJson(draft.groups),
  };
  const unchanged =
    config !== undefined && sameJson(toJson(before), toJson({ ...draft, others: draft.others }));
  return unchanged ? undefined : sections;
}

export function editTopology(...edits: readonly ((topology: Topology) => TopologyEdit)[]): Edit {
  return (draft) => {
    let { topology } = draft;
    for (const edit of edits) {
      const edited = edit(topology);
      if (edited.kind === 'refused') return { kind: 'refused', message: edited.refusal.message };
      topology = edited.topology;
    }
    return { kind: 'edited', draft: { ...draft, topology } };
  };
}

/** Values of schemas carry `undefined` where a field is absent; JSON does not. */
export function toJson(value: unknown): Json {
  return JSON.parse(JSON.stringify(value)) as Json;
}
