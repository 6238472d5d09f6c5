/** The Services of a cluster: one by which instances find each other, one for people, one for each template. */
import { LABELS } from '../../api/names.ts';
import type { Cluster } from '../../api/v1alpha1/cluster.ts';
import type { Intent } from '../verdict.ts';
import { clusterLabels, instanceSelector } from './labels.ts';
import { adminServiceName, namespaceOf, PORTS, templateServiceName } from './names.ts';
import { ownerReference } from './owner.ts';

const HTTP = { name: 'http', port: PORTS.http, targetPort: 'http', protocol: 'TCP' };
const IPROTO = { name: 'iproto', port: PORTS.iproto, targetPort: 'iproto', protocol: 'TCP' };

export function buildServices(cluster: Cluster): readonly Intent[] {
  const name = cluster.metadata.name;
  const instances = instanceSelector(name);
  return [
    build(cluster, name, {
      clusterIP: 'None',
      // Instances find each other before they are ready: that is how they become it.
      publishNotReadyAddresses: true,
      selector: instances,
      ports: [HTTP, IPROTO],
    }),
    build(cluster, adminServiceName(name), { selector: instances, ports: [HTTP] }),
    ...cluster.spec.replicaSets.map((template) =>
      build(cluster, templateServiceName(name, template.name), {
        selector: { ...instances, [LABELS.template]: template.name },
        ports: [HTTP, IPROTO],
      }),
    ),
  ];
}

function build(cluster: Cluster, name: string, spec: Record<string, unknown>): Intent {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name,
      namespace: namespaceOf(cluster),
      labels: clusterLabels(cluster.metadata.name, 'cluster'),
      ownerReferences: [ownerReference(cluster)],
    },
    spec,
  };
}
