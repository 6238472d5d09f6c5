/** Builds what a StatefulSet makes: its pods and their claims. Names are fixed, so a pod finds its claim again. */
import { createHash } from 'node:crypto';
import type { Draft } from '../node-api.ts';
import type { StatefulSet, Volume } from '../objects.ts';

const POD_NAME_LABEL = 'statefulset.kubernetes.io/pod-name';
const POD_INDEX_LABEL = 'apps.kubernetes.io/pod-index';
export const REVISION_LABEL = 'controller-revision-hash';

export function podName(set: StatefulSet, ordinal: number): string {
  return `${set.metadata.name}-${ordinal}`;
}

/** The ordinal in the name of a pod of this set; nothing for a name that is not one of its own. */
export function ordinalOf(set: StatefulSet, name: string): number | undefined {
  const prefix = `${set.metadata.name}-`;
  const digits = name.startsWith(prefix) ? name.slice(prefix.length) : '';
  return /^(0|[1-9]\d*)$/.test(digits) ? Number(digits) : undefined;
}

/** Names the pod template: the same template has the same revision, whatever the order of its fields. */
export function revisionOf(set: StatefulSet): string {
  const digest = createHash('sha256').update(JSON.stringify(sorted(set.spec.template)));
  return `${set.metadata.name}-${digest.digest('hex').slice(0, 10)}`;
}

export function buildPod(set: StatefulSet, ordinal: number, revision: string): Draft {
  const { template, serviceName, volumeClaimTemplates = [] } = set.spec;
  const name = podName(set, ordinal);
  const claimed: Volume[] = volumeClaimTemplates.map(({ metadata }) => ({
    name: metadata.name,
    persistentVolumeClaim: { claimName: `${metadata.name}-${name}` },
  }));
  const others = (template.spec.volumes ?? []).filter(
    (volume) => !claimed.some((own) => own.name === volume.name),
  );
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: set.metadata.namespace,
      labels: {
        ...template.metadata?.labels,
        [POD_NAME_LABEL]: name,
        [POD_INDEX_LABEL]: String(ordinal),
        [REVISION_LABEL]: revision,
      },
      ...(template.metadata?.annotations === undefined
        ? {}
        : { annotations: template.metadata.annotations }),
      ownerReferences: [ownerReference(set)],
    },
    spec: {
      ...template.spec,
      hostname: name,
      ...(serviceName === undefined ? {} : { subdomain: serviceName }),
      ...(claimed.length + others.length === 0 ? {} : { volumes: [...others, ...claimed] }),
    },
  };
}

/** Claims have no owner: they outlive pods and set, so that the data is there when those come back. */
export function buildClaims(set: StatefulSet, ordinal: number): Draft[] {
  return (set.spec.volumeClaimTemplates ?? []).map(({ metadata, spec }) => ({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: {
      name: `${metadata.name}-${podName(set, ordinal)}`,
      namespace: set.metadata.namespace,
      labels: { ...metadata.labels, ...set.spec.selector.matchLabels },
      ...(metadata.annotations === undefined ? {} : { annotations: metadata.annotations }),
    },
    spec,
  }));
}

export function ownerReference(set: StatefulSet): object {
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    name: set.metadata.name,
    uid: set.metadata.uid,
    controller: true,
    blockOwnerDeletion: true,
  };
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  entries.sort(([left], [right]) => (left < right ? -1 : 1));
  return Object.fromEntries(entries.map(([name, item]) => [name, sorted(item)]));
}
