import { clusterFocuses, raftFocuses } from './cluster-focuses.ts';
import { clusterScenario } from './cluster-scenario.ts';
import { configScenario } from './config/config-scenario.ts';
import { eventualScenario } from './eventual-scenario.ts';
import { membershipScenario } from './membership-scenario.ts';
import { replicationScenario } from './replication.ts';
import type { Scenario } from './scenario.ts';

/** Every scenario that `main.ts` and the soak run. */
export const scenarios: readonly Scenario[] = [
  configScenario(),
  membershipScenario(),
  replicationScenario(),
  replicationScenario({ acks: true }),
  replicationScenario({ engine: 'disk' }),
  clusterScenario(),
  eventualScenario(),
  ...[...clusterFocuses, ...raftFocuses].map((focus) => clusterScenario({ focus })),
];
