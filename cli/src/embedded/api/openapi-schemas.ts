/** Schemas of the built-in kinds for `kubectl explain`: the fields that matter on this server. */
import type { JsonObject } from './json.ts';

type Fields = Readonly<Record<string, JsonObject>>;

const text = (description: string): JsonObject => ({ type: 'string', description });
const whole = (description: string): JsonObject => ({ type: 'integer', description });
const flag = (description: string): JsonObject => ({ type: 'boolean', description });
const map = (description: string): JsonObject => ({
  type: 'object',
  description,
  additionalProperties: { type: 'string' },
});
const list = (description: string, items: JsonObject): JsonObject => ({
  type: 'array',
  description,
  items,
});
const fields = (description: string, properties: Fields): JsonObject => ({
  type: 'object',
  description,
  properties,
});
const anything = (description: string): JsonObject => ({
  type: 'object',
  description,
  'x-kubernetes-preserve-unknown-fields': true,
});
const shared = (description: string, name: string): JsonObject => ({
  description,
  allOf: [{ $ref: `#/components/schemas/${name}` }],
});
const reference = (name: string): JsonObject => ({ $ref: `#/components/schemas/${name}` });

const container = fields('One container of a pod.', {
  name: text('The name of the container within its pod.'),
  image: text('What to run; here it names a folder with an application.'),
  command: list('The command that replaces that of the image.', { type: 'string' }),
  args: list('Arguments of the command.', { type: 'string' }),
  env: list(
    'Environment variables.',
    fields('A variable.', {
      name: text('Its name.'),
      value: text('Its value; may refer to earlier ones as $(NAME).'),
      valueFrom: anything('Where its value comes from.'),
    }),
  ),
  ports: list(
    'Ports that the container listens on.',
    fields('A port.', {
      name: text('The name by which services refer to it.'),
      containerPort: whole('The number.'),
      protocol: text('TCP or UDP.'),
    }),
  ),
  resources: anything('Requests and limits of processor and memory.'),
  volumeMounts: list(
    'Where volumes appear.',
    fields('A mount.', {
      name: text('The name of the volume.'),
      mountPath: text('The path within the container.'),
    }),
  ),
  livenessProbe: anything('Restarts the container when it fails.'),
  readinessProbe: anything('Takes the pod out of services when it fails.'),
  startupProbe: anything('Holds the other probes back until it succeeds.'),
});

const podSpec = fields('What a pod runs.', {
  containers: list('The containers.', reference('Container')),
  initContainers: list('Containers that run to their end first.', reference('Container')),
  nodeName: text('The machine that runs the pod.'),
  restartPolicy: text('Always, OnFailure or Never.'),
  terminationGracePeriodSeconds: whole('How long a pod may take to stop.'),
  volumes: list('Volumes of the pod.', anything('A volume.')),
});

export const SHARED_SCHEMAS: Fields = {
  ObjectMeta: fields('What every object has.', {
    name: text('The name, unique among objects of its kind in its namespace.'),
    namespace: text('The namespace.'),
    labels: map('Labels, by which selectors find objects.'),
    annotations: map('Notes that selectors do not see.'),
    finalizers: list('What must be done before the object goes.', { type: 'string' }),
    ownerReferences: list('Objects whose removal removes this one.', anything('An owner.')),
    uid: text('The identity of the object.'),
    resourceVersion: text('Changes with each write.'),
    generation: whole('Changes when the wish changes, not when the status does.'),
    creationTimestamp: text('When the object was made.'),
    deletionTimestamp: text('When the deletion of the object began.'),
    generateName: text('A prefix for a name that the server completes.'),
    managedFields: list('Who owns which field.', anything('What one manager owns.')),
  }),
  Container: container,
  PodSpec: podSpec,
  PodTemplate: fields('The pods to make.', {
    metadata: shared('Labels and annotations of the pods.', 'ObjectMeta'),
    spec: shared('What the pods run.', 'PodSpec'),
  }),
};

const data = map('The content, by key.');

export const BUILTIN_SCHEMAS: Fields = {
  ConfigMap: fields('Configuration as keys and texts.', {
    data,
    binaryData: map('Content that is not text, in base64.'),
    immutable: flag('Whether the content may no longer change.'),
  }),
  CustomResourceDefinition: fields('Adds a kind to this server.', {
    spec: anything('Names, scope and versions of the kind.'),
    status: anything('Whether the kind is served.'),
  }),
  Endpoints: fields('Addresses behind a service.', {
    subsets: list('Addresses with their ports.', anything('Addresses that share ports.')),
  }),
  EndpointSlice: fields('A part of the addresses behind a service.', {
    addressType: text('IPv4, IPv6 or FQDN.'),
    endpoints: list('The addresses.', anything('An address and its conditions.')),
    ports: list('The ports.', anything('A port.')),
  }),
  Event: fields('Something that happened to an object.', {
    type: text('Normal or Warning.'),
    reason: text('Why, in one word.'),
    message: text('What happened.'),
    involvedObject: anything('The object.'),
  }),
  Lease: fields('A right that one holder has for a time.', {
    spec: fields('The lease.', {
      holderIdentity: text('Who holds it.'),
      leaseDurationSeconds: whole('How long it is good without renewal.'),
      renewTime: text('When it was last renewed.'),
      leaseTransitions: whole('How often the holder changed.'),
    }),
  }),
  Namespace: fields('A space of names.', {
    spec: anything('Finalizers.'),
    status: anything('Phase.'),
  }),
  Node: fields('A machine that runs pods.', {
    spec: anything('Wish.'),
    status: anything('State.'),
  }),
  PersistentVolumeClaim: fields('A wish for a volume.', {
    spec: anything('Size, access modes and storage class.'),
    status: anything('Whether a volume is bound, and how large it is.'),
  }),
  Pod: fields('Containers that run together on one machine.', {
    spec: shared('What the pod runs.', 'PodSpec'),
    status: anything('Phase, addresses, state of the containers.'),
  }),
  PodDisruptionBudget: fields('How many pods may be away at a time.', {
    spec: anything('The selector and the bounds.'),
    status: anything('How many may go now.'),
  }),
  Secret: fields('Content that should not be shown.', {
    data: map('The content in base64, by key.'),
    stringData: map('The content as text; written only.'),
    type: text('What kind of secret it is.'),
  }),
  Service: fields('A name for a set of pods.', {
    spec: fields('Which pods, and which ports.', {
      selector: map('Labels of the pods.'),
      ports: list('The ports.', anything('A port.')),
      type: text('ClusterIP, NodePort or LoadBalancer.'),
      clusterIP: text('None on this server.'),
      publishNotReadyAddresses: flag('Whether pods that are not ready count.'),
    }),
    status: anything('State of a load balancer.'),
  }),
  ServiceAccount: fields('An identity for pods.', {
    automountServiceAccountToken: flag('Whether pods get a token.'),
  }),
  StatefulSet: fields('Pods with stable names and volumes.', {
    spec: fields('The wish.', {
      replicas: whole('How many pods.'),
      serviceName: text('The headless service that names the pods.'),
      selector: anything('Labels of the pods.'),
      template: shared('The pods.', 'PodTemplate'),
      podManagementPolicy: text('OrderedReady or Parallel.'),
      updateStrategy: anything('RollingUpdate or OnDelete.'),
      persistentVolumeClaimRetentionPolicy: anything('When claims are deleted.'),
      volumeClaimTemplates: list('Claims that each pod gets.', anything('A claim.')),
    }),
    status: anything('How many pods exist and are ready.'),
  }),
};
