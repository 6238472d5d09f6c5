/** What roles bring with them, as the application's instances tell it. */
import type { KnownRole } from './snapshot.ts';

/** The role with which a replica set owns buckets. */
const STORAGE_ROLE = 'vshard-storage';

/** Does any of the roles, or what it depends on, own buckets? */
export function storesBuckets(roles: readonly string[], known: readonly KnownRole[]): boolean {
  const seen = new Set<string>();
  const open = [...roles];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (seen.has(name)) continue;
    seen.add(name);
    open.push(...(known.find((role) => role.name === name)?.dependencies ?? []));
  }
  return seen.has(STORAGE_ROLE);
}

/** Nothing while the application's roles are not known. */
export function unknownRoles(
  roles: readonly string[],
  known: readonly KnownRole[] | undefined,
): readonly string[] {
  if (known === undefined) return [];
  return roles.filter((role) => !known.some(({ name }) => name === role));
}
