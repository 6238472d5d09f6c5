/**
 * Kubernetes objects as raw JSON, typed only where the operator reads or writes them. Objects are never read, changed
 * and put back whole, so fields that these types do not know are never lost.
 */
export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean | undefined;
  readonly blockOwnerDeletion?: boolean | undefined;
}

export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string | undefined;
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
  readonly generation?: number | undefined;
  readonly creationTimestamp?: string | undefined;
  readonly deletionTimestamp?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  readonly ownerReferences?: readonly OwnerReference[] | undefined;
  readonly finalizers?: readonly string[] | undefined;
}

export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
}

export interface StatusCondition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string | undefined;
  readonly message?: string | undefined;
}

export interface ResourceRequirements {
  readonly requests?: Readonly<Record<string, string | number>> | undefined;
  readonly limits?: Readonly<Record<string, string | number>> | undefined;
}

export interface KeySelector {
  readonly name: string;
  readonly key: string;
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
  readonly httpGet?: { readonly path: string; readonly port: string | number } | undefined;
  readonly periodSeconds?: number | undefined;
  readonly timeoutSeconds?: number | undefined;
  readonly failureThreshold?: number | undefined;
  readonly initialDelaySeconds?: number | undefined;
}

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly imagePullPolicy?: string | undefined;
  readonly command?: readonly string[] | undefined;
  readonly args?: readonly string[] | undefined;
  readonly env?: readonly EnvironmentVariable[] | undefined;
  readonly ports?:
    | readonly {
        readonly name: string;
        readonly containerPort: number;
        readonly protocol?: string;
      }[]
    | undefined;
  readonly resources?: ResourceRequirements | undefined;
  readonly volumeMounts?:
    | readonly { readonly name: string; readonly mountPath: string; readonly readOnly?: boolean }[]
    | undefined;
  readonly livenessProbe?: Probe | undefined;
  readonly readinessProbe?: Probe | undefined;
  readonly startupProbe?: Probe | undefined;
  readonly securityContext?: Readonly<Record<string, unknown>> | undefined;
}

export interface PodVolume {
  readonly name: string;
  readonly secret?: { readonly secretName: string; readonly defaultMode?: number } | undefined;
  readonly emptyDir?: Readonly<Record<string, unknown>> | undefined;
  readonly persistentVolumeClaim?: { readonly claimName: string } | undefined;
}

export interface PodSpec {
  readonly containers: readonly Container[];
  readonly volumes?: readonly PodVolume[] | undefined;
  readonly nodeName?: string | undefined;
  readonly hostname?: string | undefined;
  readonly subdomain?: string | undefined;
  readonly terminationGracePeriodSeconds?: number | undefined;
  readonly serviceAccountName?: string | undefined;
  readonly automountServiceAccountToken?: boolean | undefined;
  readonly imagePullSecrets?: readonly { readonly name: string }[] | undefined;
  readonly securityContext?: Readonly<Record<string, unknown>> | undefined;
  readonly affinity?: Readonly<Record<string, unknown>> | undefined;
  readonly topologySpreadConstraints?: readonly Readonly<Record<string, unknown>>[] | undefined;
}

export interface TemplateMeta {
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

export interface ContainerStatus {
  readonly name: string;
  readonly ready: boolean;
  readonly restartCount: number;
  readonly state?: Readonly<
    Record<string, { readonly reason?: string; readonly message?: string }>
  >;
}

export interface Pod extends KubeObject {
  readonly spec: PodSpec;
  readonly status?:
    | {
        readonly phase?: string | undefined;
        readonly podIP?: string | undefined;
        readonly conditions?: readonly StatusCondition[] | undefined;
        readonly containerStatuses?: readonly ContainerStatus[] | undefined;
      }
    | undefined;
}

export interface PersistentVolumeClaim extends KubeObject {
  readonly spec: {
    readonly accessModes?: readonly string[] | undefined;
    readonly storageClassName?: string | undefined;
    readonly volumeName?: string | undefined;
    readonly resources?: ResourceRequirements | undefined;
  };
  readonly status?:
    | {
        readonly phase?: string | undefined;
        readonly capacity?: Readonly<Record<string, string>> | undefined;
        readonly conditions?: readonly StatusCondition[] | undefined;
      }
    | undefined;
}

export interface StatefulSet extends KubeObject {
  readonly spec: {
    readonly replicas?: number | undefined;
    readonly serviceName: string;
    readonly podManagementPolicy?: string | undefined;
    readonly updateStrategy?: { readonly type: string } | undefined;
    readonly revisionHistoryLimit?: number | undefined;
    readonly persistentVolumeClaimRetentionPolicy?:
      | { readonly whenDeleted: string; readonly whenScaled: string }
      | undefined;
    readonly selector: { readonly matchLabels: Readonly<Record<string, string>> };
    readonly template: { readonly metadata: TemplateMeta; readonly spec: PodSpec };
    readonly volumeClaimTemplates?:
      | readonly {
          readonly metadata: TemplateMeta & { readonly name: string };
          readonly spec: PersistentVolumeClaim['spec'];
        }[]
      | undefined;
  };
  readonly status?:
    | {
        readonly observedGeneration?: number | undefined;
        readonly replicas?: number | undefined;
        readonly readyReplicas?: number | undefined;
        readonly currentRevision?: string | undefined;
        readonly updateRevision?: string | undefined;
      }
    | undefined;
}

export interface Service extends KubeObject {
  readonly spec: {
    readonly type?: string | undefined;
    readonly clusterIP?: string | undefined;
    readonly publishNotReadyAddresses?: boolean | undefined;
    readonly selector?: Readonly<Record<string, string>> | undefined;
    readonly ports?:
      | readonly {
          readonly name: string;
          readonly port: number;
          readonly targetPort?: string | number | undefined;
          readonly protocol?: string | undefined;
        }[]
      | undefined;
  };
}

export interface Secret extends KubeObject {
  readonly type?: string | undefined;
  /** Base64. */
  readonly data?: Readonly<Record<string, string>> | undefined;
  /** Plain text; write only. */
  readonly stringData?: Readonly<Record<string, string>> | undefined;
}

export interface ConfigMap extends KubeObject {
  readonly data?: Readonly<Record<string, string>> | undefined;
}

export interface PodDisruptionBudget extends KubeObject {
  readonly spec: {
    readonly maxUnavailable?: number | undefined;
    readonly selector: { readonly matchLabels: Readonly<Record<string, string>> };
  };
}

export interface Lease extends KubeObject {
  readonly spec: {
    readonly holderIdentity?: string | undefined;
    readonly leaseDurationSeconds?: number | undefined;
    readonly acquireTime?: string | undefined;
    readonly renewTime?: string | undefined;
    readonly leaseTransitions?: number | undefined;
  };
}

/** events.k8s.io/v1, not the old kind of the core group. */
export interface KubeEvent extends KubeObject {
  readonly eventTime: string;
  readonly reportingController: string;
  readonly reportingInstance: string;
  readonly action: string;
  readonly reason: string;
  readonly note: string;
  readonly type: 'Normal' | 'Warning';
  readonly regarding: ObjectReference;
  readonly series?: { readonly count: number; readonly lastObservedTime: string } | undefined;
}

export interface ObjectReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string | undefined;
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
}

export interface Namespace extends KubeObject {
  readonly status?: { readonly phase?: string | undefined } | undefined;
}

export interface CustomResourceDefinition extends KubeObject {
  readonly spec: Readonly<Record<string, unknown>>;
}
