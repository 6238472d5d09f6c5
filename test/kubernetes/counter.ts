/**
 * A small application for tests of the harness: a StatefulSet whose pods count their starts and requests
 * in a file of their volume, under the same restrictions as the product's pods.
 */
import type { Kubernetes, Pod } from './cluster.ts';
import { isReady } from './cluster.ts';

export const counterPort = 8080;

export interface Counted {
  readonly host: string;
  /** Starts of the pod's process, over all the time its volume exists. */
  readonly starts: number;
}

const program = `
const fs = require('node:fs');
const file = '/data/starts';
const starts = fs.existsSync(file) ? Number(fs.readFileSync(file, 'utf8')) + 1 : 1;
fs.writeFileSync(file, String(starts));
const answer = JSON.stringify({ host: require('node:os').hostname(), starts });
require('node:http')
  .createServer((request, response) => response.end(answer))
  .listen(${counterPort}, () => console.log('listening'));
process.on('SIGTERM', () => process.exit(0));
`;

/** A headless service \`counter\`, a service \`counter-ready\`, and a StatefulSet \`counter\`. */
export function counterObjects(
  image: string,
  replicas: number,
  extraPodSpec: object = {},
): readonly object[] {
  const labels = { app: 'counter' };
  const port = { name: 'http', port: counterPort };
  return [
    service('counter', { clusterIP: 'None', publishNotReadyAddresses: true, ports: [port] }),
    service('counter-ready', { ports: [{ name: 'http', port: 80, targetPort: counterPort }] }),
    {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: { name: 'counter' },
      spec: {
        serviceName: 'counter',
        replicas,
        podManagementPolicy: 'Parallel',
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { ...podSpec(image), ...extraPodSpec } },
        volumeClaimTemplates: [
          {
            metadata: { name: 'data' },
            spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '64Mi' } } },
          },
        ],
      },
    },
  ];
}

export async function waitForCounter(
  kubernetes: Kubernetes,
  namespace: string,
  replicas: number,
): Promise<void> {
  for (let index = 0; index < replicas; index += 1) {
    const reference = { kind: 'pod', name: `counter-${index}`, namespace };
    await kubernetes.waitUntil(`counter-${index} to be ready`, async () =>
      isReady(await kubernetes.get<Pod>(reference)),
    );
  }
}

/** Asks one pod, by its name in the cluster's DNS. */
export async function askCounter(host: string): Promise<Counted> {
  const response = await fetch(`http://${host}/`, { signal: AbortSignal.timeout(5_000) });
  return (await response.json()) as Counted;
}

function service(name: string, spec: object): object {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name },
    spec: { selector: { app: 'counter' }, ...spec },
  };
}

function podSpec(image: string): object {
  return {
    terminationGracePeriodSeconds: 5,
    securityContext: { runAsNonRoot: true, fsGroup: 65532 },
    containers: [
      {
        name: 'counter',
        image,
        command: ['/bin/node', '-e', program],
        ports: [{ name: 'http', containerPort: counterPort }],
        readinessProbe: { httpGet: { path: '/', port: 'http' }, periodSeconds: 1 },
        resources: { requests: { cpu: '50m', memory: '64Mi' }, limits: { memory: '256Mi' } },
        securityContext: {
          readOnlyRootFilesystem: true,
          allowPrivilegeEscalation: false,
          capabilities: { drop: ['ALL'] },
        },
        volumeMounts: [{ name: 'data', mountPath: '/data' }],
      },
    ],
  };
}
