/** Builds the file that tells kubectl where the local Kubernetes is. */
import { stringify } from 'yaml';

export function buildKubeconfig(options: {
  readonly url: string;
  readonly namespace: string;
}): string {
  const name = 'tonearm';
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { server: options.url } }],
    users: [{ name, user: {} }],
    contexts: [{ name, context: { cluster: name, user: name, namespace: options.namespace } }],
    'current-context': name,
  });
}
