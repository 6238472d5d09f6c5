/** The roles that come with the runtime. An application's roles name them as dependencies. */
import type { VshardGroups } from '../contract/cluster-config.ts';
import { type AnyRole, defineRole } from '../role/define-role.ts';
import type { BucketService } from '../services/bucket-service.ts';
import { COORDINATOR_ROLE } from '../services/coordinator-service.ts';

export interface BuiltInRolesOptions {
  readonly groups: () => VshardGroups;
  /** Undefined before the instance has joined a replica set. */
  readonly buckets: () => BucketService | undefined;
}

export const VSHARD_STORAGE = 'vshard-storage';

export function builtInRoles(options: BuiltInRolesOptions): readonly AnyRole[] {
  return [
    /** Gives `context.vshard`; an instance without it routes as well, the name says what it is for (ROLE-18). */
    defineRole({ name: 'vshard-router' }),
    /** Holds buckets: the leader makes those of the first assignment. */
    defineRole({
      name: VSHARD_STORAGE,
      async applyConfig(_context, _config, { isLeader }) {
        const groups = options.groups();
        if (isLeader) await options.buckets()?.createAssigned(groups['default']?.assignment ?? []);
      },
    }),
    /** Appoints leaders (FO-40): `CoordinatorService` runs where the topology enables this role. */
    defineRole({ name: COORDINATOR_ROLE }),
  ];
}
