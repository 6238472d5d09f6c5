/**
 * What the operator and kubectl rely on of a Kubernetes API. The same statements run against the
 * embedded API and against a real API server, so they wait with a deadline wherever a real server
 * does its work afterwards, and keep to a namespace and an API group of their own.
 */
import { randomBytes } from 'node:crypto';
import { after, before, describe } from 'node:test';
import { describeApply } from './kubernetes-api-apply.ts';
import { describeCustomResources } from './kubernetes-api-custom-resources.ts';
import { describeDeletion } from './kubernetes-api-deletion.ts';
import { describeReads } from './kubernetes-api-reads.ts';
import { describeWatch } from './kubernetes-api-watch.ts';
import { WIDGET_DEFINITION } from './kubernetes-api-widgets.ts';
import { describeWrites } from './kubernetes-api-writes.ts';
import type { Json, KubernetesAnswer, KubernetesConnection } from './kubernetes-connection.ts';

export interface KubernetesApiUnderTest extends KubernetesConnection {
  close(): Promise<void>;
}

/** What the parts of the suite share: a namespace, and short ways to say what they do in it. */
export interface ContractContext extends KubernetesConnection {
  readonly namespace: string;
  /** A name that no other test has used. */
  newName(): string;
  /** The path of config maps (`cm`) or widgets, or of one of them. */
  configMaps(name?: string): string;
  widgets(name?: string): string;
  /** Sends a request that must succeed. */
  ok(method: string, path: string, body?: unknown, headers?: Headers): Promise<Json>;
  apply(path: string, object: Json, manager: string, query?: string): Promise<KubernetesAnswer>;
}

type Headers = Readonly<Record<string, string>>;

const DEFINITIONS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
export const WIDGETS = '/apis/contract.tonearm.dev/v1';
const EVENTUALLY_MS = 60_000;

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

function buildContext(namespace: string, connection: () => KubernetesConnection): ContractContext {
  let counter = 0;
  const request: KubernetesConnection['request'] = (...args) => connection().request(...args);
  const within = (root: string, plural: string, name: string | undefined): string =>
    `${root}/namespaces/${namespace}/${plural}${name === undefined ? '' : `/${name}`}`;
  return {
    namespace,
    request,
    watch: (path) => connection().watch(path),
    newName: () => {
      counter += 1;
      return `object-${counter}`;
    },
    configMaps: (name) => within('/api/v1', 'configmaps', name),
    widgets: (name) => within(WIDGETS, 'widgets', name),
    ok: async (...args) => {
      const answer = await request(...args);
      if (answer.code < 300) return answer.body;
      throw new Error(`${args[0]} ${args[1]}: ${answer.code} ${JSON.stringify(answer.body)}`);
    },
    apply: (path, object, manager, query = '') =>
      request('PATCH', `${path}?fieldManager=${manager}${query}`, object, {
        'content-type': 'application/apply-patch+yaml',
      }),
  };
}

/** Waits until a condition holds; a real server garbage-collects and establishes afterwards. */
export async function eventually(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + EVENTUALLY_MS;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`not within ${EVENTUALLY_MS} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  let found = value;
  for (const step of path) found = (found as Record<string | number, unknown> | undefined)?.[step];
  return found;
}

export const MERGE = { 'content-type': 'application/merge-patch+json' };
export const JSON_PATCH = { 'content-type': 'application/json-patch+json' };
