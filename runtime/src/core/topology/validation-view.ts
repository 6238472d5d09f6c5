import type { Topology, VshardGroups } from '../../contract/cluster-config.ts';

export interface ConfigIssue {
  /** From the root of the config, e.g. `sections.topology.servers.<uuid>.uri`. */
  readonly field: string;
  /** Id in the feature inventory, e.g. `TVAL-05`. */
  readonly rule: string;
  readonly message: string;
}

/** What the rules see: typed sections, before and after. */
export interface ValidationView {
  readonly topology: Topology;
  readonly groups: VshardGroups;
  readonly previous: { readonly topology: Topology; readonly groups: VshardGroups } | undefined;
  readonly knownRoles: readonly string[] | undefined;
  readonly self: string | undefined;
  readonly storesBuckets: ((roles: readonly string[]) => boolean) | undefined;
}
