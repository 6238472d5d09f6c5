/**
 * Registration of roles: their order of work and what an enabled role brings with it. Pure.
 *
 * Dependencies come before the role that needs them, depth first, in the order of the list (ROLE-04, ROLE-05):
 * a → (b, d), b → (c, d) runs as c, d, b, a.
 */
export interface RoleDeclaration {
  readonly name: string;
  readonly dependencies: readonly string[];
  /** Runs on every instance and is hidden (ROLE-08). */
  readonly permanent: boolean;
  readonly hidden: boolean;
}

export type RoleOrder =
  | { readonly kind: 'ordered'; readonly names: readonly string[] }
  | { readonly kind: 'invalid'; readonly reason: string };

export function orderRoles(roles: readonly RoleDeclaration[]): RoleOrder {
  const byName = new Map<string, RoleDeclaration>();
  for (const role of roles) {
    if (byName.has(role.name))
      return { kind: 'invalid', reason: `two roles have the name "${role.name}"` };
    byName.set(role.name, role);
  }
  const names: string[] = [];
  for (const role of roles) {
    const fault = visit(role.name, { byName, names, path: [] });
    if (fault !== undefined) return { kind: 'invalid', reason: fault };
  }
  return { kind: 'ordered', names };
}

interface Walk {
  readonly byName: ReadonlyMap<string, RoleDeclaration>;
  readonly names: string[];
  readonly path: readonly string[];
}

function visit(name: string, walk: Walk): string | undefined {
  if (walk.names.includes(name)) return undefined;
  if (walk.path.includes(name))
    return `roles depend on each other in a circle: ${[...walk.path, name].join(' → ')}`;
  const role = walk.byName.get(name);
  if (role === undefined)
    return `role "${walk.path.at(-1) ?? ''}" depends on "${name}", which is not given to runCluster`;
  for (const dependency of role.dependencies) {
    const fault = visit(dependency, { ...walk, path: [...walk.path, name] });
    if (fault !== undefined) return fault;
  }
  walk.names.push(name);
  return undefined;
}

/** Enabled roles with their dependencies and the permanent ones, in the order of work (ROLE-07, ROLE-09). */
export function enabledRoles(
  roles: readonly RoleDeclaration[],
  order: readonly string[],
  asked: readonly string[],
): readonly string[] {
  const byName = new Map(roles.map((role) => [role.name, role]));
  const enabled = new Set<string>();
  const enable = (name: string): void => {
    const role = byName.get(name);
    if (role === undefined || enabled.has(name)) return;
    enabled.add(name);
    for (const dependency of role.dependencies) enable(dependency);
  };
  for (const role of roles) if (role.permanent) enable(role.name);
  for (const name of asked) enable(name);
  return order.filter((name) => enabled.has(name));
}
