/** What roles bring with them, as the application's instances tell it. */
import type { KnownRole } from './snapshot.ts';

/** The role with which a replica set owns buckets. */
const STORAGE_ROLE = 'vshard-storage';

/** The role of instances that appoint leaders. */
const COORDINATOR_ROLE = 'failover-coordinator';

/** Does any of the roles, or what it depends on, own buckets? */
export function storesBuckets(roles: readonly string[], known: readonly KnownRole[]): boolean {
  return withDependencies(roles, known).has(STORAGE_ROLE);
}

export function appointsLeaders(roles: readonly string[], known: readonly KnownRole[]): boolean {
  return withDependencies(roles, known).has(COORDINATOR_ROLE);
}

function withDependencies(
  roles: readonly string[],
  known: readonly KnownRole[],
): ReadonlySet<string> {
  const seen = new Set<string>();
  const open = [...roles];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (seen.has(name)) continue;
    seen.add(name);
    open.push(...(known.find((role) => role.name === name)?.dependencies ?? []));
  }
  return seen;
}

/** Nothing while the application's roles are not known. */
export function unknownRoles(
  roles: readonly string[],
  known: readonly KnownRole[] | undefined,
): readonly string[] {
  if (known === undefined) return [];
  return roles.filter((role) => !known.some(({ name }) => name === role));
}
