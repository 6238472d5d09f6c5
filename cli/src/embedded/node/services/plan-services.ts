/**
 * Decides where each Service leads: its endpoints, and the ports of this machine on which its clients reach it. Pure.
 *
 * Only Services for clients get ports: those of a template, which lead to ready instances alone. Instances find each
 * other by their own addresses. The first template gets the port of the manifest, the next one the port after it, so
 * that the same cluster has the same addresses whenever they are free.
 */

import type { LocalPorts, NodeObject, Pod, Service, ServicePort } from '../objects.ts';
import { hasLabels, isReady, isTerminating, portKey } from '../objects.ts';

const CLUSTER_LABEL = 'tonearm.dev/cluster';
const TEMPLATE_LABEL = 'tonearm.dev/template';

export interface ClusterTemplates extends NodeObject {
  readonly spec: { readonly replicaSets?: readonly { readonly name: string }[] | undefined };
}

export interface ServicesSnapshot {
  readonly services: readonly Service[];
  readonly pods: readonly Pod[];
  readonly clusters: readonly ClusterTemplates[];
  portsOf(pod: Pod): LocalPorts;
}

export interface Forward {
  /** `namespace/service/port`. */
  readonly id: string;
  readonly service: Service;
  readonly portName: string;
  readonly preferredPort: number;
  /** Whether people expect this very port, and want to hear when it is another. */
  readonly isMain: boolean;
  /** Ports of the ready pods. */
  readonly targets: readonly number[];
}

export interface Endpoint {
  readonly service: Service;
  readonly pod: Pod;
  readonly isReady: boolean;
  readonly ports: readonly { readonly name: string; readonly port: number }[];
}

export interface ServicesPlan {
  readonly forwards: readonly Forward[];
  readonly endpoints: readonly Endpoint[];
}

export function planServices(snapshot: ServicesSnapshot): ServicesPlan {
  const endpoints = snapshot.services.flatMap((service) => endpointsOf(service, snapshot));
  const forwards = snapshot.services
    .filter(isForClients)
    .flatMap((service) => forwardsOf(service, snapshot, endpoints));
  const isEarlier = (left: Forward, right: Forward): number =>
    left.preferredPort - right.preferredPort || (left.id < right.id ? -1 : 1);
  return { forwards: forwards.toSorted(isEarlier), endpoints };
}

function isForClients(service: Service): boolean {
  return (
    templateOf(service) !== undefined &&
    service.spec.publishNotReadyAddresses !== true &&
    !isTerminating(service)
  );
}

function forwardsOf(
  service: Service,
  snapshot: ServicesSnapshot,
  endpoints: readonly Endpoint[],
): Forward[] {
  const index = templateIndex(service, snapshot.clusters);
  const ready = endpoints.filter((endpoint) => endpoint.service === service && endpoint.isReady);
  return (service.spec.ports ?? []).map((port) => {
    const portName = port.name ?? String(port.port);
    return {
      id: `${service.metadata.namespace}/${service.metadata.name}/${portName}`,
      service,
      portName,
      preferredPort: port.port + index,
      isMain: index === 0 && portName === 'http',
      targets: ready.flatMap((endpoint) =>
        endpoint.ports.filter(({ name }) => name === portName).map((target) => target.port),
      ),
    };
  });
}

function endpointsOf(service: Service, snapshot: ServicesSnapshot): Endpoint[] {
  const { selector = {}, ports = [] } = service.spec;
  if (Object.keys(selector).length === 0) return [];
  return snapshot.pods
    .filter((pod) => pod.metadata.namespace === service.metadata.namespace)
    .filter((pod) => hasLabels(pod, selector))
    .map((pod) => ({
      service,
      pod,
      isReady:
        service.spec.publishNotReadyAddresses === true || (isReady(pod) && !isTerminating(pod)),
      ports: ports.flatMap((port) => localPort(port, pod, snapshot.portsOf(pod))),
    }))
    .filter((endpoint) => endpoint.ports.length > 0);
}

function localPort(
  port: ServicePort,
  pod: Pod,
  local: LocalPorts,
): { name: string; port: number }[] {
  const target = port.targetPort ?? port.port;
  const declared = pod.spec.containers[0]?.ports?.find(
    (candidate) => candidate.name === target || candidate.containerPort === target,
  );
  const found = declared === undefined ? undefined : local[portKey(declared)];
  return found === undefined ? [] : [{ name: port.name ?? String(port.port), port: found }];
}

function templateOf(service: Service): string | undefined {
  return service.metadata.labels?.[TEMPLATE_LABEL] ?? service.spec.selector?.[TEMPLATE_LABEL];
}

function templateIndex(service: Service, clusters: readonly ClusterTemplates[]): number {
  const { namespace, labels } = service.metadata;
  const name = labels?.[CLUSTER_LABEL] ?? service.spec.selector?.[CLUSTER_LABEL];
  const cluster = clusters.find(
    ({ metadata }) => metadata.namespace === namespace && metadata.name === name,
  );
  const template = templateOf(service);
  const index = cluster?.spec.replicaSets?.findIndex((known) => known.name === template) ?? 0;
  return Math.max(0, index);
}
