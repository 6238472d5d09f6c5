/**
 * The Kubernetes objects that the node reads and writes, as far as it reads and writes them. Whatever else a
 * manifest says is kept by the API and means nothing here.
 */
export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean | undefined;
  readonly blockOwnerDeletion?: boolean | undefined;
}

export type Labels = Readonly<Record<string, string>>;

export interface NodeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly creationTimestamp: string;
    readonly generation?: number | undefined;
    readonly deletionTimestamp?: string | undefined;
    readonly deletionGracePeriodSeconds?: number | undefined;
    readonly labels?: Labels | undefined;
    readonly annotations?: Labels | undefined;
    readonly ownerReferences?: readonly OwnerReference[] | undefined;
  };
}

export interface KeySelector {
  readonly name: string;
  readonly key: string;
  readonly optional?: boolean | undefined;
}

export interface EnvironmentVariable {
  readonly name: string;
  readonly value?: string | undefined;
  readonly valueFrom?:
    | {
        readonly fieldRef?: { readonly fieldPath: string } | undefined;
        readonly secretKeyRef?: KeySelector | undefined;
        readonly configMapKeyRef?: KeySelector | undefined;
      }
    | undefined;
}

export interface Probe {
  readonly httpGet?:
    | { readonly path?: string | undefined; readonly port: string | number }
    | undefined;
  readonly initialDelaySeconds?: number | undefined;
  readonly periodSeconds?: number | undefined;
  readonly timeoutSeconds?: number | undefined;
  readonly failureThreshold?: number | undefined;
  readonly successThreshold?: number | undefined;
}

export interface ContainerPort {
  readonly name?: string | undefined;
  readonly containerPort: number;
  readonly protocol?: string | undefined;
}

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly command?: readonly string[] | undefined;
  readonly args?: readonly string[] | undefined;
  readonly env?: readonly EnvironmentVariable[] | undefined;
  readonly ports?: readonly ContainerPort[] | undefined;
  readonly volumeMounts?:
    | readonly {
        readonly name: string;
        readonly mountPath: string;
        readonly subPath?: string | undefined;
      }[]
    | undefined;
  readonly livenessProbe?: Probe | undefined;
  readonly readinessProbe?: Probe | undefined;
  readonly startupProbe?: Probe | undefined;
}

export interface Volume {
  readonly name: string;
  readonly secret?:
    | { readonly secretName: string; readonly optional?: boolean | undefined }
    | undefined;
  readonly configMap?:
    | { readonly name: string; readonly optional?: boolean | undefined }
    | undefined;
  readonly emptyDir?: object | undefined;
  readonly persistentVolumeClaim?: { readonly claimName: string } | undefined;
}

export interface PodSpec {
  readonly containers: readonly Container[];
  readonly volumes?: readonly Volume[] | undefined;
  readonly nodeName?: string | undefined;
  readonly hostname?: string | undefined;
  readonly subdomain?: string | undefined;
  readonly serviceAccountName?: string | undefined;
  readonly terminationGracePeriodSeconds?: number | undefined;
}

export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False';
  readonly reason?: string | undefined;
  readonly message?: string | undefined;
  readonly lastTransitionTime?: string | undefined;
}

export interface TerminatedState {
  readonly exitCode: number;
  readonly signal?: number | undefined;
  readonly reason: string;
  readonly message?: string | undefined;
  readonly startedAt: string;
  readonly finishedAt: string;
}

export type ContainerState =
  | { readonly waiting: { readonly reason: string; readonly message?: string | undefined } }
  | { readonly running: { readonly startedAt: string } }
  | { readonly terminated: TerminatedState };

export interface ContainerStatus {
  readonly name: string;
  readonly image: string;
  readonly imageID: string;
  readonly containerID: string;
  readonly ready: boolean;
  readonly started: boolean;
  readonly restartCount: number;
  readonly state: ContainerState;
  readonly lastState: ContainerState | Record<string, never>;
}

export interface PodStatus {
  readonly phase?: string | undefined;
  readonly podIP?: string | undefined;
  readonly conditions?: readonly Condition[] | undefined;
  readonly containerStatuses?: readonly ContainerStatus[] | undefined;
  readonly startTime?: string | undefined;
}

export interface Pod extends NodeObject {
  readonly spec: PodSpec;
  readonly status?: PodStatus | undefined;
}

export interface ClaimSpec {
  readonly resources?:
    | { readonly requests?: Readonly<Record<string, string | number>> | undefined }
    | undefined;
  readonly accessModes?: readonly string[] | undefined;
  readonly storageClassName?: string | undefined;
  readonly volumeName?: string | undefined;
}

export interface Claim extends NodeObject {
  readonly spec: ClaimSpec;
  readonly status?:
    | {
        readonly phase?: string | undefined;
        readonly capacity?: Readonly<Record<string, string | number>> | undefined;
      }
    | undefined;
}

export interface StatefulSetStatus {
  readonly observedGeneration: number;
  readonly replicas: number;
  readonly readyReplicas: number;
  readonly availableReplicas: number;
  readonly currentReplicas: number;
  readonly updatedReplicas: number;
  readonly currentRevision: string;
  readonly updateRevision: string;
  readonly collisionCount: number;
}

export interface StatefulSet extends NodeObject {
  readonly spec: {
    readonly replicas?: number | undefined;
    readonly serviceName?: string | undefined;
    readonly podManagementPolicy?: string | undefined;
    readonly updateStrategy?: { readonly type?: string | undefined } | undefined;
    readonly ordinals?: { readonly start?: number | undefined } | undefined;
    readonly selector: { readonly matchLabels?: Labels | undefined };
    readonly template: {
      readonly metadata?:
        | { readonly labels?: Labels | undefined; readonly annotations?: Labels | undefined }
        | undefined;
      readonly spec: PodSpec;
    };
    readonly volumeClaimTemplates?:
      | readonly {
          readonly metadata: {
            readonly name: string;
            readonly labels?: Labels | undefined;
            readonly annotations?: Labels | undefined;
          };
          readonly spec: ClaimSpec;
        }[]
      | undefined;
  };
  readonly status?: Partial<StatefulSetStatus> | undefined;
}

export interface ServicePort {
  readonly name?: string | undefined;
  readonly port: number;
  readonly targetPort?: string | number | undefined;
  readonly protocol?: string | undefined;
}

export interface Service extends NodeObject {
  readonly spec: {
    readonly clusterIP?: string | undefined;
    readonly publishNotReadyAddresses?: boolean | undefined;
    readonly selector?: Labels | undefined;
    readonly ports?: readonly ServicePort[] | undefined;
  };
}

export interface KeyedData extends NodeObject {
  /** Base64 in a Secret, text in a ConfigMap. */
  readonly data?: Labels | undefined;
}

/** The ports that a pod's processes really listen on, by the name (or number) of the container port. */
export type LocalPorts = Readonly<Record<string, number>>;

export function portKey(port: ContainerPort): string {
  return port.name ?? String(port.containerPort);
}

export function hasLabels(object: NodeObject, wanted: Labels): boolean {
  const labels = object.metadata.labels ?? {};
  return Object.entries(wanted).every(([name, value]) => labels[name] === value);
}

export function controllerUid(object: NodeObject): string | undefined {
  return object.metadata.ownerReferences?.find((owner) => owner.controller === true)?.uid;
}

export function isTerminating(object: NodeObject): boolean {
  return object.metadata.deletionTimestamp !== undefined;
}

export function isReady(pod: Pod): boolean {
  const ready = pod.status?.conditions?.find((condition) => condition.type === 'Ready');
  return pod.status?.phase === 'Running' && ready?.status === 'True';
}
