/** The statements that the embedded API keeps to, said of a real API server: what they leave out is our doing. */
import { describeKubernetesApi } from '../contract/kubernetes-api.ts';
import { connectKubernetes } from '../contract/kubernetes-connection.ts';
import { withKubernetes } from './cluster.ts';

const kubernetes = withKubernetes();

interface KubeConfig {
  readonly clusters: readonly [
    {
      readonly cluster: {
        readonly server: string;
        readonly 'certificate-authority-data'?: string;
      };
    },
  ];
  readonly users: readonly [
    {
      readonly user: {
        readonly 'client-certificate-data'?: string;
        readonly 'client-key-data'?: string;
        readonly token?: string;
      };
    },
  ];
}

describeKubernetesApi('a real Kubernetes API', async () => {
  const view = await kubernetes.kubectl([
    ...['config', 'view', '--raw', '--flatten', '--minify', '-o', 'json'],
  ]);
  const { clusters, users } = JSON.parse(view) as KubeConfig;
  const { server, 'certificate-authority-data': ca } = clusters[0].cluster;
  const { token, 'client-certificate-data': cert, 'client-key-data': key } = users[0].user;
  const connection = connectKubernetes({
    url: server,
    ...(token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }),
    tls: {
      ...(ca === undefined ? {} : { ca: decode(ca) }),
      ...(cert === undefined ? {} : { cert: decode(cert) }),
      ...(key === undefined ? {} : { key: decode(key) }),
    },
  });
  return { ...connection, close: async () => undefined };
});

function decode(text: string): string {
  return Buffer.from(text, 'base64').toString();
}
