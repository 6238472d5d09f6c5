/** What `box.info` and the events of the server tell of the instance: pools of connectors look for the leader there. */
import type { Value } from '../../core/schema/values.ts';
import type { IprotoStorage } from '../../ports/iproto-storage.ts';
import type { InstanceIdentity } from './iproto-context.ts';

const VERSION = '2.11.0';

export const statusKeys = {
  id: 'box.id',
  status: 'box.status',
  schema: 'box.schema',
  shutdown: 'box.shutdown',
} as const;

export function boxInfo(instance: InstanceIdentity, storage: IprotoStorage): Value {
  const isReadOnly = !storage.isWritable;
  return {
    id: instance.id,
    uuid: instance.uuid,
    version: VERSION,
    package: 'Tonearm',
    status: statusOf(storage),
    ro: isReadOnly,
    cluster: { uuid: instance.replicaSetUuid },
    schema_version: storage.schemaVersion,
  };
}

export function boxId(instance: InstanceIdentity): Value {
  const { id, uuid, replicaSetUuid } = instance;
  return { id, instance_uuid: uuid, replicaset_uuid: replicaSetUuid };
}

export function boxStatus(storage: IprotoStorage): Value {
  return { is_ro: !storage.isWritable, is_ro_cfg: false, status: statusOf(storage) };
}

/** Pools ask nobody who does not run. */
function statusOf({ isReadable }: IprotoStorage): string {
  return isReadable ? 'running' : 'loading';
}

export function boxSchema(storage: IprotoStorage): Value {
  return { version: storage.schemaVersion };
}
