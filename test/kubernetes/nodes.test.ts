/** Proves that nodes can be added and lost, and that pods of different nodes reach each other. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { withKubernetes } from './cluster.ts';
import { askCounter, counterObjects, counterPort, waitForCounter } from './fixtures/counter.ts';
import type { Pod } from './objects.ts';

const kubernetes = withKubernetes();
const nodes = kubernetes.nodes;

/** No other file counts on a node of this name. */
const added = 'n9';

describe('a second node', { skip: nodes === undefined && 'needs our own node' }, () => {
  let namespace = '';
  let remove = async (): Promise<void> => undefined;
  before(async () => {
    [namespace, remove] = await kubernetes.makeNamespace('nodes');
    await nodes!.start(added);
  });
  after(async () => {
    await remove();
    await nodes!.remove(added);
  });

  const pod = async (name: string): Promise<Pod | undefined> =>
    kubernetes.get<Pod>({ kind: 'pod', name, namespace });
  const nodeOf = async (name: string): Promise<unknown> => (await pod(name))?.spec?.['nodeName'];
  const ask = async (from: string, to: string): Promise<string> => {
    const program = `fetch('http://${to}.counter:${counterPort}').then((r) => r.json()).then((answer) => console.log(answer.host))`;
    const command = ['exec', '-n', namespace, from, '--', 'node', '-e', program];
    return (await kubernetes.kubectl(command)).trim();
  };

  it('takes its part of pods that keep away from each other, which reach each other', async () => {
    const apart = {
      podAntiAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [
          {
            labelSelector: { matchLabels: { app: 'counter' } },
            topologyKey: 'kubernetes.io/hostname',
          },
        ],
      },
    };
    await kubernetes.apply(
      counterObjects(kubernetes.images.node, 2, { affinity: apart }),
      namespace,
    );
    await waitForCounter(kubernetes, namespace, 2);
    assert.notEqual(await nodeOf('counter-0'), await nodeOf('counter-1'));
    assert.equal(await ask('counter-0', 'counter-1'), 'counter-1');
    assert.equal(await ask('counter-1', 'counter-0'), 'counter-0');
  });

  it('is noticed to be gone after a power cut, and its pod comes back with it', async () => {
    const moved = (await nodeOf('counter-0')) === added ? 'counter-0' : 'counter-1';
    await nodes!.cutPower(added);
    const status = 'jsonpath={.status.conditions[?(@.type=="Ready")].status}';
    await kubernetes.waitUntil(
      'the node to be missed',
      async () => (await kubernetes.kubectl(['get', 'node', added, '-o', status])) === 'Unknown',
    );
    await nodes!.start(added);
    const address = `${moved}.counter.${namespace}.svc.cluster.local:${counterPort}`;
    await kubernetes.waitUntil(
      'the pod to have started again',
      // Once, or twice when Kubernetes had given the pod up already.
      async () => (await askCounter(address)).starts > 1,
    );
  });
});
