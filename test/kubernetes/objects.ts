/** Kubernetes objects, as far as the harness and tests of the harness read them. */

export interface PodReference {
  readonly namespace: string;
  readonly pod: string;
}

export interface ObjectReference {
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
}

/** The parts of any object that tests of the harness read. */
export interface KubernetesObject {
  readonly metadata: { readonly name: string; readonly uid: string };
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>>;
}

export interface Pod extends KubernetesObject {
  readonly status: {
    readonly podIP?: string;
    readonly hostIP?: string;
    readonly phase: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly containerStatuses?: readonly ContainerStatus[];
  };
}

export interface ContainerStatus {
  readonly name: string;
  readonly ready: boolean;
  readonly restartCount: number;
  readonly containerID?: string;
}

/** Whether all containers of the pod are ready. */
export function isReady(pod: Pod | undefined): boolean {
  return (
    pod?.status.conditions?.some((each) => each.type === 'Ready' && each.status === 'True') ?? false
  );
}
