/** Defaults of the built-in kinds, as far as the operator, the embedded node or kubectl see them. */
import {
  isObject,
  type JsonObject,
  listAt,
  objectAt,
  textAt,
  without,
  withValueAt,
} from './json.ts';
import type { ObjectDraft } from './kubernetes-object.ts';

export type Defaulting = (object: ObjectDraft) => ObjectDraft;

export const BUILTIN_DEFAULTS: Readonly<Record<string, Defaulting>> = {
  Namespace: (object) => withDefault(object, ['spec', 'finalizers'], ['kubernetes']),
  Pod: (object) => ({ ...object, spec: podSpec(objectAt(object, 'spec')) }),
  Secret: secret,
  Service: service,
  StatefulSet: statefulSet,
  PersistentVolumeClaim: (object) => withDefault(object, ['spec', 'volumeMode'], 'Filesystem'),
};

/** What a new object reports before any controller has looked at it. */
export const INITIAL_STATUS: Readonly<Record<string, JsonObject>> = {
  Namespace: { phase: 'Active' },
  Pod: { phase: 'Pending', qosClass: 'Burstable' },
  Service: { loadBalancer: {} },
  StatefulSet: { replicas: 0, availableReplicas: 0 },
  PersistentVolumeClaim: { phase: 'Pending' },
  PodDisruptionBudget: {
    disruptionsAllowed: 0,
    currentHealthy: 0,
    desiredHealthy: 0,
    expectedPods: 0,
  },
};

function withDefault(object: JsonObject, path: readonly string[], value: unknown): JsonObject {
  const parent = objectAt(object, ...path.slice(0, -1));
  const name = path.at(-1) ?? '';
  return parent[name] === undefined ? withValueAt(object, path, value) : object;
}

function withDefaults(object: JsonObject, defaults: JsonObject): JsonObject {
  return { ...defaults, ...object };
}

function secret(object: ObjectDraft): ObjectDraft {
  const plain = Object.entries(objectAt(object, 'stringData'));
  const encoded = plain.map(([name, text]) => [name, encodeBase64(String(text))] as const);
  const typed = withDefault(without(object, 'stringData'), ['type'], 'Opaque');
  if (encoded.length === 0) return typed;
  return { ...typed, data: { ...objectAt(typed, 'data'), ...Object.fromEntries(encoded) } };
}

function encodeBase64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}

function service(object: ObjectDraft): ObjectDraft {
  const spec = objectAt(object, 'spec');
  const ports = listAt(spec, 'ports').map((port) =>
    isObject(port)
      ? { protocol: 'TCP', ...port, targetPort: port['targetPort'] ?? port['port'] }
      : port,
  );
  const defaults = {
    type: 'ClusterIP',
    sessionAffinity: 'None',
    // Nothing routes a virtual address here; every service of this server is headless.
    clusterIP: 'None',
    internalTrafficPolicy: 'Cluster',
  };
  return {
    ...object,
    spec: { ...withDefaults(spec, defaults), ...(ports.length === 0 ? {} : { ports }) },
  };
}

function statefulSet(object: ObjectDraft): ObjectDraft {
  const spec = objectAt(object, 'spec');
  const template = objectAt(spec, 'template');
  const claims = listAt(spec, 'volumeClaimTemplates').map((claim) =>
    isObject(claim)
      ? {
          apiVersion: 'v1',
          kind: 'PersistentVolumeClaim',
          ...withDefault(claim, ['spec', 'volumeMode'], 'Filesystem'),
        }
      : claim,
  );
  const defaults = {
    replicas: 1,
    podManagementPolicy: 'OrderedReady',
    revisionHistoryLimit: 10,
    updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } },
    persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Retain' },
  };
  return {
    ...object,
    spec: {
      ...withDefaults(spec, defaults),
      template: { ...template, spec: podSpec(objectAt(template, 'spec')) },
      ...(claims.length === 0 ? {} : { volumeClaimTemplates: claims }),
    },
  };
}

function podSpec(spec: JsonObject): JsonObject {
  const defaults = {
    restartPolicy: 'Always',
    dnsPolicy: 'ClusterFirst',
    terminationGracePeriodSeconds: 30,
    schedulerName: 'default-scheduler',
    securityContext: {},
  };
  const filled: JsonObject = withDefaults(spec, defaults);
  for (const name of ['containers', 'initContainers']) {
    if (spec[name] !== undefined) filled[name] = listAt(spec, name).map(container);
  }
  return filled;
}

function container(item: unknown): unknown {
  if (!isObject(item)) return item;
  const defaults: JsonObject = {
    imagePullPolicy: pullPolicy(textAt(item, 'image')),
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
    resources: {},
  };
  const filled = withDefaults(item, defaults);
  if (item['ports'] === undefined) return filled;
  const ports = listAt(item, 'ports').map((port) =>
    isObject(port) ? withDefaults(port, { protocol: 'TCP' }) : port,
  );
  return { ...filled, ports };
}

function pullPolicy(image: string): string {
  const name = image.slice(image.lastIndexOf('/') + 1);
  return !name.includes(':') || name.endsWith(':latest') ? 'Always' : 'IfNotPresent';
}
