/** Carries out what `planServices` decides: EndpointSlices in the API, and open ports on this machine. */
import { equalJson } from '../../api/json.ts';
import {
  type Draft,
  ENDPOINT_SLICES,
  type NodeApi,
  type NodeResource,
  PODS,
  SERVICES,
} from '../node-api.ts';
import type { LocalPorts, NodeObject, Pod, Service } from '../objects.ts';
import { isReady, isTerminating } from '../objects.ts';
import {
  type ClusterTemplates,
  type Endpoint,
  type Forward,
  planServices,
} from './plan-services.ts';
import { TcpForwarder } from './tcp-forwarder.ts';

/** `name=host:port` of every port, on the Service: where its clients reach it on this machine. */
export const LOCAL_ADDRESS_ANNOTATION = 'tonearm.dev/local-address';

const CLUSTERS: NodeResource<ClusterTemplates> = {
  group: 'tonearm.dev',
  version: 'v1alpha1',
  plural: 'clusters',
  kind: 'Cluster',
};

type SliceDraft = Draft & { readonly endpoints: object; readonly ports: object };

interface SliceObject extends NodeObject {
  readonly endpoints?: unknown;
  readonly ports?: unknown;
}

export interface ServiceControllerParts {
  readonly api: NodeApi;
  readonly nodeName: string;
  portsOf(pod: Pod): LocalPorts;
  /** A port that people expect is taken by another program. */
  onPortTaken(taken: {
    readonly wanted: number;
    readonly given: number;
    readonly id: string;
  }): void;
}

export class ServiceController {
  readonly #parts: ServiceControllerParts;
  readonly #forwarders = new Map<string, TcpForwarder>();

  constructor(parts: ServiceControllerParts) {
    this.#parts = parts;
  }

  /** One round; rounds must not overlap. */
  async reconcile(): Promise<void> {
    const { api } = this.#parts;
    const plan = planServices({
      services: api.list(SERVICES),
      pods: api.list(PODS),
      clusters: api.list(CLUSTERS),
      portsOf: (pod) => this.#parts.portsOf(pod),
    });
    this.#writeSlices(plan.endpoints);
    const wanted = new Set(plan.forwards.map((forward) => forward.id));
    for (const [id, forwarder] of this.#forwarders) {
      if (wanted.has(id)) continue;
      this.#forwarders.delete(id);
      await forwarder.close();
    }
    for (const forward of plan.forwards) await this.#open(forward);
    this.#writeAddresses(plan.forwards);
  }

  async close(): Promise<void> {
    const open = [...this.#forwarders.values()];
    this.#forwarders.clear();
    await Promise.all(open.map((forwarder) => forwarder.close()));
  }

  async #open(forward: Forward): Promise<void> {
    const { id, preferredPort: wanted } = forward;
    const known = this.#forwarders.get(id);
    const forwarder = known ?? (await TcpForwarder.open(wanted));
    forwarder.lead(forward.targets);
    if (known !== undefined) return;
    this.#forwarders.set(id, forwarder);
    const given = forwarder.port;
    if (given !== wanted && forward.isMain) this.#parts.onPortTaken({ wanted, given, id });
  }

  #writeAddresses(forwards: readonly Forward[]): void {
    for (const service of new Set(forwards.map((forward) => forward.service))) {
      const address = forwards
        .filter((forward) => forward.service === service)
        .map(({ id, portName }) => `${portName}=127.0.0.1:${this.#forwarders.get(id)?.port ?? 0}`)
        .join(',');
      if (service.metadata.annotations?.[LOCAL_ADDRESS_ANNOTATION] === address) continue;
      const annotations = { [LOCAL_ADDRESS_ANNOTATION]: address };
      this.#parts.api.patch(SERVICES, service.metadata, { body: { metadata: { annotations } } });
    }
  }

  /** Each pod has ports of its own here, so each has a slice of its own. */
  #writeSlices(endpoints: readonly Endpoint[]): void {
    const { api } = this.#parts;
    const wanted = new Set<string>();
    for (const endpoint of endpoints) {
      const slice = this.#buildSlice(endpoint);
      const { namespace, name } = slice.metadata;
      wanted.add(`${namespace}/${name}`);
      const found: SliceObject | undefined = api.get(ENDPOINT_SLICES, slice.metadata);
      if (found === undefined) {
        api.create(ENDPOINT_SLICES, slice);
        continue;
      }
      const body = { endpoints: slice.endpoints, ports: slice.ports };
      const isSame = equalJson({ endpoints: found.endpoints, ports: found.ports }, body);
      if (!isSame) api.patch(ENDPOINT_SLICES, slice.metadata, { body });
    }
    for (const slice of api.list(ENDPOINT_SLICES)) {
      const { namespace, name, labels } = slice.metadata;
      const isOwn = labels?.[MANAGED_BY_LABEL] === MANAGER;
      if (isOwn && !wanted.has(`${namespace}/${name}`)) api.delete(ENDPOINT_SLICES, slice);
    }
  }

  #buildSlice({ service, pod, isReady: isOpen, ports }: Endpoint): SliceDraft {
    return {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      addressType: 'IPv4',
      metadata: {
        name: `${service.metadata.name}-${pod.metadata.name}`,
        namespace: service.metadata.namespace,
        labels: {
          'kubernetes.io/service-name': service.metadata.name,
          [MANAGED_BY_LABEL]: MANAGER,
        },
        ownerReferences: [ownerReference(service)],
      },
      endpoints: [
        {
          addresses: ['127.0.0.1'],
          conditions: { ready: isOpen, serving: isReady(pod), terminating: isTerminating(pod) },
          nodeName: this.#parts.nodeName,
          targetRef: {
            kind: 'Pod',
            namespace: pod.metadata.namespace,
            name: pod.metadata.name,
            uid: pod.metadata.uid,
          },
        },
      ],
      ports: ports.map((port) => ({ ...port, protocol: 'TCP' })),
    };
  }
}

const MANAGED_BY_LABEL = 'endpointslice.kubernetes.io/managed-by';
const MANAGER = 'tonearm-node';

function ownerReference(service: Service): object {
  const { name, uid } = service.metadata;
  return {
    apiVersion: 'v1',
    kind: 'Service',
    name,
    uid,
    controller: true,
    blockOwnerDeletion: true,
  };
}
