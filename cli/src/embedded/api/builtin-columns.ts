/** What `kubectl get` shows of the built-in kinds. */
import { LOCAL_PORTS_ANNOTATION } from '../node/pods/local-address.ts';
import { renderAge } from './durations.ts';
import { eventCount, lastSeenAt } from './event-forms.ts';
import { isObject, listAt, numberAt, objectAt, textAt } from './json.ts';
import type { KubernetesObject } from './kubernetes-object.ts';
import type { TableColumn } from './served-resource.ts';

type Cell = TableColumn['cellOf'];

const AGE: Cell = (object, nowMs) => renderAge(object.metadata.creationTimestamp, nowMs);

function column(name: string, cellOf: Cell, type = 'string'): TableColumn {
  return { name, type, description: name, priority: 0, cellOf };
}

function wide(name: string, cellOf: Cell): TableColumn {
  return { ...column(name, cellOf), priority: 1 };
}

function at(...path: readonly string[]): Cell {
  return (object) => textAt(object, ...path);
}

function orNone(...path: readonly string[]): Cell {
  return (object) => textAt(object, ...path) || '<none>';
}

export const NAME_COLUMN: TableColumn = {
  ...column('Name', (object) => object.metadata.name),
  format: 'name',
};

export const AGE_COLUMN: TableColumn = column('Age', AGE);

const COLUMNS: Readonly<Record<string, readonly TableColumn[]>> = {
  Namespace: [column('Status', at('status', 'phase'))],
  Pod: [
    column('Ready', readyContainers),
    column('Status', podStatus),
    column('Restarts', restarts),
    AGE_COLUMN,
    // Those of this machine: here they are what one connects to.
    column('Ports', orNone('metadata', 'annotations', LOCAL_PORTS_ANNOTATION)),
    wide('IP', orNone('status', 'podIP')),
    wide('Node', orNone('spec', 'nodeName')),
  ],
  Service: [
    column('Type', at('spec', 'type')),
    column('Cluster-IP', orNone('spec', 'clusterIP')),
    column('External-IP', () => '<none>'),
    column('Port(s)', servicePorts),
    AGE_COLUMN,
    wide('Selector', selectorText),
  ],
  Secret: [column('Type', at('type')), column('Data', dataCount, 'integer')],
  ConfigMap: [column('Data', dataCount, 'integer')],
  StatefulSet: [
    column('Ready', statefulSetReady),
    AGE_COLUMN,
    wide('Containers', (object) => containerTexts(object, 'name')),
    wide('Images', (object) => containerTexts(object, 'image')),
  ],
  PersistentVolumeClaim: [
    column('Status', claimStatus),
    column('Volume', at('spec', 'volumeName')),
    column('Capacity', at('status', 'capacity', 'storage')),
    column('Access Modes', accessModes),
    column('StorageClass', at('spec', 'storageClassName')),
    AGE_COLUMN,
    wide('VolumeMode', at('spec', 'volumeMode')),
  ],
  Lease: [column('Holder', at('spec', 'holderIdentity'))],
  Node: [
    column('Status', nodeStatus),
    column('Roles', () => '<none>'),
    AGE_COLUMN,
    column('Version', at('status', 'nodeInfo', 'kubeletVersion')),
    wide('Internal-IP', nodeAddress),
    wide('OS-Image', at('status', 'nodeInfo', 'osImage')),
    wide('Kernel-Version', at('status', 'nodeInfo', 'kernelVersion')),
    wide('Container-Runtime', at('status', 'nodeInfo', 'containerRuntimeVersion')),
  ],
  Endpoints: [column('Endpoints', endpointAddresses)],
  EndpointSlice: [column('AddressType', at('addressType'))],
  PodDisruptionBudget: [
    column('Min Available', (object) => budgetText(object, 'minAvailable')),
    column('Max Unavailable', (object) => budgetText(object, 'maxUnavailable')),
    column(
      'Allowed Disruptions',
      (o) => numberAt(o, 'status', 'disruptionsAllowed') ?? 0,
      'integer',
    ),
  ],
  CustomResourceDefinition: [column('Created At', (object) => object.metadata.creationTimestamp)],
};

const EVENT_COLUMNS: readonly TableColumn[] = [
  column('Last Seen', (object, nowMs) => renderAge(lastSeenAt(object), nowMs)),
  column('Type', at('type')),
  column('Reason', at('reason')),
  column('Object', eventObject),
  column('Message', at('message')),
  wide('Count', (object) => String(eventCount(object))),
];

/** Columns of a kind; the age goes last unless the kind places it itself. */
export function builtinColumns(kind: string): readonly TableColumn[] {
  if (kind === 'Event') return EVENT_COLUMNS;
  const own = COLUMNS[kind] ?? [];
  const hasOwnAge = own.includes(AGE_COLUMN) || kind === 'CustomResourceDefinition';
  return [NAME_COLUMN, ...own, ...(hasOwnAge ? [] : [AGE_COLUMN])];
}

function readyContainers(pod: KubernetesObject): string {
  const statuses = listAt(pod, 'status', 'containerStatuses').filter(isObject);
  const ready = statuses.filter((status) => status['ready'] === true).length;
  return `${ready}/${listAt(pod, 'spec', 'containers').length}`;
}

function podStatus(pod: KubernetesObject): string {
  if (pod.metadata.deletionTimestamp !== undefined) return 'Terminating';
  for (const status of listAt(pod, 'status', 'containerStatuses')) {
    const waiting = textAt(status, 'state', 'waiting', 'reason');
    const ended = textAt(status, 'state', 'terminated', 'reason');
    if (waiting !== '' || ended !== '') return waiting || ended;
  }
  return textAt(pod, 'status', 'reason') || textAt(pod, 'status', 'phase') || 'Unknown';
}

function restarts(pod: KubernetesObject): string {
  const counts = listAt(pod, 'status', 'containerStatuses').map(
    (status) => numberAt(status, 'restartCount') ?? 0,
  );
  return String(counts.reduce((sum, count) => sum + count, 0));
}

function servicePorts(service: KubernetesObject): string {
  const ports = listAt(service, 'spec', 'ports').map(
    (port) => `${numberAt(port, 'port') ?? ''}/${textAt(port, 'protocol') || 'TCP'}`,
  );
  return ports.join(',') || '<none>';
}

function selectorText(service: KubernetesObject): string {
  const entries = Object.entries(objectAt(service, 'spec', 'selector'));
  return entries.map(([name, value]) => `${name}=${String(value)}`).join(',') || '<none>';
}

function dataCount(object: KubernetesObject): number {
  const texts = Object.keys(objectAt(object, 'data')).length;
  return texts + Object.keys(objectAt(object, 'binaryData')).length;
}

function statefulSetReady(object: KubernetesObject): string {
  const ready = numberAt(object, 'status', 'readyReplicas') ?? 0;
  return `${ready}/${numberAt(object, 'spec', 'replicas') ?? 0}`;
}

function containerTexts(object: KubernetesObject, field: string): string {
  const containers = listAt(object, 'spec', 'template', 'spec', 'containers');
  return containers.map((container) => textAt(container, field)).join(',');
}

function claimStatus(claim: KubernetesObject): string {
  if (claim.metadata.deletionTimestamp !== undefined) return 'Terminating';
  return textAt(claim, 'status', 'phase');
}

const SHORT_ACCESS_MODES: Readonly<Record<string, string>> = {
  ReadWriteOnce: 'RWO',
  ReadOnlyMany: 'ROX',
  ReadWriteMany: 'RWX',
  ReadWriteOncePod: 'RWOP',
};

function accessModes(claim: KubernetesObject): string {
  const modes = listAt(claim, 'status', 'accessModes').map(String);
  return modes.map((mode) => SHORT_ACCESS_MODES[mode] ?? mode).join(',');
}

function nodeStatus(node: KubernetesObject): string {
  const conditions = listAt(node, 'status', 'conditions').filter(isObject);
  const ready = conditions.find((condition) => condition['type'] === 'Ready');
  const text = ready?.['status'] === 'True' ? 'Ready' : 'NotReady';
  const isCordoned = objectAt(node, 'spec')['unschedulable'] === true;
  return isCordoned ? `${text},SchedulingDisabled` : text;
}

function nodeAddress(node: KubernetesObject): string {
  const addresses = listAt(node, 'status', 'addresses');
  const found = addresses.find((address) => textAt(address, 'type') === 'InternalIP');
  return textAt(found, 'address') || '<none>';
}

function endpointAddresses(endpoints: KubernetesObject): string {
  const addresses = listAt(endpoints, 'subsets').flatMap((subset) =>
    listAt(subset, 'addresses').map((address) => textAt(address, 'ip')),
  );
  return addresses.join(',') || '<none>';
}

function budgetText(budget: KubernetesObject, field: string): string {
  const value = objectAt(budget, 'spec')[field];
  return typeof value === 'string' || typeof value === 'number' ? String(value) : 'N/A';
}

function eventObject(event: KubernetesObject): string {
  const target = objectAt(event, 'involvedObject');
  return `${textAt(target, 'kind').toLowerCase()}/${textAt(target, 'name')}`;
}
