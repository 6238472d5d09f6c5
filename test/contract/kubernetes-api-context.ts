/** What the parts of the contract suite of a Kubernetes API share. */
import type { Json, KubernetesAnswer, KubernetesConnection } from './kubernetes-connection.ts';

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

export const WIDGETS = '/apis/contract.tonearm.dev/v1';
const EVENTUALLY_MS = 60_000;

/** The namespace is made by the caller; the connection may be opened later. */
export function buildContext(
  namespace: string,
  connection: () => KubernetesConnection,
): ContractContext {
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
