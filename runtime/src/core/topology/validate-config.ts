/**
 * Is a wanted config one that a cluster can have? (TVAL, VVAL; each rule has a negative test.)
 *
 * Returns every issue with the path of the field and the rule that it breaks, and never throws: the wanted config
 * comes from outside. Without a topology there is nothing to run (2PC-03).
 */
import type { z } from 'zod';
import {
  type ClusterConfig,
  type Sections,
  topologySchema,
  vshardGroupsSchema,
} from '../../contract/cluster-config.ts';
import type { Refusal } from '../../contract/two-phase.ts';
import { validateFailover } from './validate-failover.ts';
import { validateTopology } from './validate-topology.ts';
import { validateVshard } from './validate-vshard.ts';
import type { ConfigIssue, ValidationView } from './validation-view.ts';

export interface ValidationContext {
  /** The config that is to be replaced. */
  readonly previous?: ClusterConfig | undefined;
  /** Roles that the application has; left out where that is not known (the operator). */
  readonly knownRoles?: readonly string[] | undefined;
  /** The instance that checks: it must be able to stay (TVAL-06). */
  readonly self?: string | undefined;
  /** Do these roles, with their dependencies, store buckets? Left out where the code of the roles is not known. */
  readonly storesBuckets?: ((roles: readonly string[]) => boolean) | undefined;
}

export function validateConfig(
  sections: Sections,
  context: ValidationContext = {},
): readonly ConfigIssue[] {
  if (sections['topology'] === undefined) {
    return [
      {
        field: 'sections.topology',
        rule: '2PC-03',
        message: 'is missing: the cluster is not bootstrapped; join instances first',
      },
    ];
  }
  const topology = topologySchema.safeParse(sections['topology']);
  const groups = vshardGroupsSchema.safeParse(sections['vshard_groups'] ?? {});
  if (!topology.success || !groups.success) {
    return [
      ...schemaIssues(topology.error, 'topology', topologyRule),
      ...schemaIssues(groups.error, 'vshard_groups', () => 'VVAL-01'),
    ];
  }
  const view: ValidationView = {
    topology: topology.data,
    groups: groups.data,
    previous: viewOf(context.previous),
    knownRoles: context.knownRoles,
    self: context.self,
    storesBuckets: context.storesBuckets,
  };
  return [...validateTopology(view), ...validateFailover(view), ...validateVshard(view)];
}

/** The first issue as a refusal; the message counts the others. */
export function refusalOfIssues(issues: readonly ConfigIssue[]): Refusal | undefined {
  const [first, ...others] = issues;
  if (first === undefined) return undefined;
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
  return {
    code: 'CONFIG_INVALID',
    message: `${first.field}: ${first.message} [${first.rule}]${more}`,
    field: first.field,
  };
}

function viewOf(config: ClusterConfig | undefined): ValidationView['previous'] {
  if (config === undefined) return undefined;
  const topology = topologySchema.safeParse(config.sections['topology'] ?? {});
  const groups = vshardGroupsSchema.safeParse(config.sections['vshard_groups'] ?? {});
  if (!topology.success || !groups.success) return undefined;
  return { topology: topology.data, groups: groups.data };
}

function schemaIssues(
  error: z.ZodError | undefined,
  section: string,
  ruleOf: (path: readonly PropertyKey[], key: string) => string,
): readonly ConfigIssue[] {
  return (error?.issues ?? []).flatMap(explainUnion).map((issue) => {
    const unknownKey = issue.code === 'unrecognized_keys' ? issue.keys[0] : undefined;
    const path = unknownKey === undefined ? issue.path : [...issue.path, unknownKey];
    return {
      field: ['sections', section, ...path.map(String)].join('.'),
      rule: ruleOf(path, unknownKey ?? ''),
      message: unknownKey === undefined ? issue.message : 'is not a known field',
    };
  });
}

/** Of a value that may be "expelled" or a map, what is wrong inside the map says more than "invalid input". */
function explainUnion(issue: z.core.$ZodIssue): readonly z.core.$ZodIssue[] {
  if (issue.code !== 'invalid_union') return [issue];
  const inner = issue.errors.find((option) => option.some((one) => one.path.length > 0));
  if (inner === undefined) return [issue];
  return inner.map((one) => ({ ...one, path: [...issue.path, ...one.path] }));
}

const FAILOVER_RULES: Readonly<Record<string, string>> = {
  mode: 'TVAL-08',
  state_provider: 'TVAL-10',
};

function topologyRule(path: readonly PropertyKey[], unknownKey: string): string {
  if (path[0] === 'servers') return 'TVAL-02';
  if (path[0] === 'replicasets') return 'TVAL-03';
  if (path[0] !== 'failover') return 'TVAL-01';
  if (path[1] === undefined) return 'TVAL-12';
  return FAILOVER_RULES[String(path[1])] ?? (unknownKey === '' ? 'TVAL-09' : 'TVAL-08');
}
