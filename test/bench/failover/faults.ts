/** What happens to a cluster in one round of the suite `failover`, and how it is undone. */

import { setUuid } from '../../support/first-config.ts';
import type { LocalCluster } from '../../support/local-cluster.ts';
import type { LocalInstance } from '../../support/local-instance.ts';
import type { ProcessLink } from '../../support/process-link.ts';

export interface Bed {
  readonly cluster: LocalCluster;
  readonly link?: ProcessLink;
}

export interface Fault {
  /** Whom it strikes in a replica set. */
  readonly on: 'leader' | 'follower';
  readonly inflict: (bed: Bed, victim: LocalInstance) => Promise<void>;
  readonly undo: (bed: Bed, victim: LocalInstance) => Promise<void>;
}

async function restart(_bed: Bed, victim: LocalInstance): Promise<void> {
  await victim.ended();
  victim.start();
}

const freeze = {
  inflict: async (_bed: Bed, victim: LocalInstance): Promise<void> => victim.pause(),
  undo: async (_bed: Bed, victim: LocalInstance): Promise<void> => victim.resume(),
};

export const faults = {
  kill: {
    on: 'leader',
    inflict: async (_bed, victim) => void process.kill(victim.dataPid, 'SIGKILL'),
    undo: restart,
  },
  crash: {
    on: 'leader',
    inflict: async (_bed, victim) => {
      const { pid, dataPid } = victim;
      for (const each of [pid, dataPid]) process.kill(each, 'SIGKILL');
    },
    undo: restart,
  },
  freeze: { on: 'leader', ...freeze },
  'freeze a follower': { on: 'follower', ...freeze },
  cut: {
    on: 'leader',
    inflict: async ({ link }, victim) => link?.cut([victim.pid, victim.dataPid]),
    undo: async ({ link }) => link?.heal(),
  },
  promote: {
    on: 'leader',
    inflict: async ({ cluster }, victim) => {
      const set = cluster.storages.findIndex((instances) => instances.includes(victim));
      const body = { replicaSetUuid: setUuid(set + 1) };
      const answer = await cluster.router.request('POST', '/admin/promote', body);
      if (answer.status !== 200) throw new Error(`no promotion: ${JSON.stringify(answer)}`);
    },
    undo: async () => undefined,
  },
} as const satisfies Record<string, Fault>;

export type FaultName = keyof typeof faults;
