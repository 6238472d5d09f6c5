import { startKubernetesApi } from '@tonearm/cli/embedded';
import { describeKubernetesApi } from './kubernetes-api.ts';
import { connectKubernetes } from './kubernetes-connection.ts';

describeKubernetesApi('the embedded Kubernetes API', async () => {
  const api = await startKubernetesApi();
  return { ...connectKubernetes({ url: api.url }), close: () => api.close() };
});
