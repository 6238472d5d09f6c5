/**
 * What the operator and kubectl rely on of a Kubernetes API. The same statements run against the
 * embedded API and against a real API server, so they wait with a deadline wherever a real server
 * does its work afterwards, and keep to a namespace and an API group of their own.
 */
import { randomBytes } from 'node:crypto';
import { after, before, describe } from 'node:test';
import { describeApply } from './kubernetes-api-apply.ts';
import { buildContext, type ContractContext, eventually } from './kubernetes-api-context.ts';
import { describeCustomResources } from './kubernetes-api-custom-resources.ts';
import { describeDeletion } from './kubernetes-api-deletion.ts';
import { describeReads } from './kubernetes-api-reads.ts';
import { describeWatch } from './kubernetes-api-watch.ts';
import { WIDGET_DEFINITION } from './kubernetes-api-widgets.ts';
import { describeWrites } from './kubernetes-api-writes.ts';
import type { KubernetesConnection } from './kubernetes-connection.ts';

export interface KubernetesApiUnderTest extends KubernetesConnection {
  close(): Promise<void>;
}

const DEFINITIONS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';

export function describeKubernetesApi(
  name: string,
  make: () => Promise<KubernetesApiUnderTest>,
): void {
  describe(name, () => {
    const namespace = `contract-${randomBytes(4).toString('hex')}`;
    let api: KubernetesApiUnderTest | undefined;
    const connection = (): KubernetesApiUnderTest => {
      if (api === undefined) throw new Error('the API is not open');
      return api;
    };
    const context = buildContext(namespace, connection);

    before(async () => {
      api = await make();
      await context.ok('POST', '/api/v1/namespaces', { metadata: { name: namespace } });
      await removeDefinition(context);
      await context.ok('POST', DEFINITIONS, WIDGET_DEFINITION);
      await eventually('the definition is served', async () => {
        const { code } = await context.request('GET', context.widgets());
        return code === 200;
      });
    });
    after(async () => {
      await removeDefinition(context);
      await context.request('DELETE', `/api/v1/namespaces/${namespace}`);
      await api?.close();
    });

    describeReads(context);
    describeWrites(context);
    describeApply(context);
    describeWatch(context);
    describeDeletion(context);
    describeCustomResources(context);
  });
}

async function removeDefinition(context: ContractContext): Promise<void> {
  const path = `${DEFINITIONS}/widgets.contract.tonearm.dev`;
  await context.request('DELETE', path);
  await eventually('the definition is gone', async () => {
    const { code } = await context.request('GET', path);
    return code === 404;
  });
}
