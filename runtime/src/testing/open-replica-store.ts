import { MemoryEngine } from '../core/storage/memory/memory-engine.ts';
import { systemClock } from '../foundation/clock.ts';
import { silentLogger } from '../foundation/logger.ts';
import type { Disk } from '../ports/disk.ts';
import { defaultIndexBuildLimits } from '../services/index-builds.ts';
import { ReplicaStore } from '../services/replica-store.ts';
import type { ReplicaStoreOptions } from '../services/replica-store-options.ts';

export const smallStoreLimits: ReplicaStoreOptions['limits'] = {
  ...defaultIndexBuildLimits,
  segmentBytes: 300,
  recentBytes: 100,
};

/** A store as an instance has it, with segments of a few rows. */
export async function openReplicaStore(
  disk: Disk,
  changed: Partial<ReplicaStoreOptions> = {},
): Promise<ReplicaStore> {
  const store = new ReplicaStore({
    disk,
    clock: systemClock,
    logger: silentLogger,
    logMode: 'write',
    identity: { logIncarnation: 1 },
    limits: smallStoreLimits,
    createEngine: () => new MemoryEngine(),
    defer: setImmediate,
    onAppended: () => undefined,
    fatal: () => undefined,
    ...changed,
  });
  await store.open();
  return store;
}
