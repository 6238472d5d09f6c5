/** What an instance is before it is anything else: alone in its working directory, somebody, and heard by the others. */
import { mkdirSync } from 'node:fs';
import { type DirectoryLock, lockDirectory } from './adapters/directory-lock.ts';
import { readBootId } from './adapters/machine.ts';
import { NodeDisk } from './adapters/node-disk.ts';
import type { InstanceIdentity } from './contract/identity.ts';
import type { InstanceOptions } from './core/options/instance-options.ts';
import type { Logger } from './foundation/logger.ts';
import { systemRandom } from './foundation/random.ts';
import { InstanceMembership } from './instance-membership.ts';
import { finishArchiving } from './services/archive-data.ts';
import { openIdentity } from './services/identity-service.ts';

export interface OpenedInstance {
  readonly lock: DirectoryLock;
  readonly disk: NodeDisk;
  readonly identity: InstanceIdentity;
  /** Names the instance in each line. */
  readonly logger: Logger;
  readonly membership: InstanceMembership;
}

export async function openInstance(
  settings: InstanceOptions,
  parentLogger: Logger,
): Promise<OpenedInstance> {
  mkdirSync(settings.workdir, { recursive: true });
  const lock = await lockDirectory(settings.workdir);
  const disk = new NodeDisk(settings.workdir);
  await finishArchiving(disk);
  const opened = await openIdentity(disk, {
    clusterUuid: settings.clusterUuid,
    bootId: readBootId(),
    logMode: settings.logMode,
    newUuid: systemRandom.uuid(),
  });
  if (opened.kind === 'failed') throw new Error(`${settings.workdir}: ${opened.reason}`);
  const { identity } = opened;
  const logger = parentLogger.child({ uuid: identity.uuid });
  const membership = await InstanceMembership.open({ settings, identity, logger });
  return { lock, disk, identity, logger, membership };
}
