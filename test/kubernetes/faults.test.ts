/** Proves that faults hit what they say they hit, and that Kubernetes itself recovers from them. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { withKubernetes } from './cluster.ts';
import { askCounter, counterObjects, counterPort, waitForCounter } from './fixtures/counter.ts';
import { isReady, type Pod } from './objects.ts';

const kubernetes = withKubernetes();
const nodes = kubernetes.nodes;

describe('a pod of a StatefulSet', () => {
  let namespace = '';
  let remove = async (): Promise<void> => undefined;
  before(async () => {
    [namespace, remove] = await kubernetes.makeNamespace('faults');
    await kubernetes.apply(counterObjects(kubernetes.images.node, 1), namespace);
    await waitForCounter(kubernetes, namespace, 1);
  });
  after(async () => remove());

  const pod = async (): Promise<Pod | undefined> =>
    kubernetes.get<Pod>({ kind: 'pod', name: 'counter-0', namespace });
  const starts = async (): Promise<number> => {
    const file = ['exec', '-n', namespace, 'counter-0', '--', 'cat', '/data/starts'];
    return Number(await kubernetes.kubectl(file));
  };

  it('comes back with its data after it was deleted', async () => {
    const before = await pod();
    const startsBefore = await starts();
    await kubernetes.kubectl(['delete', 'pod', 'counter-0', '-n', namespace]);
    await kubernetes.waitUntil('another pod of the name to be ready', async () => {
      const now = await pod();
      return now !== undefined && now.metadata.uid !== before!.metadata.uid && isReady(now);
    });
    assert.equal(await starts(), startsBefore + 1);
  });

  describe('hit from below Kubernetes', {
    skip: nodes === undefined && 'needs our own node',
  }, () => {
    const reference = (): { namespace: string; pod: string } => ({ namespace, pod: 'counter-0' });
    const address = (): string => `counter-0.counter.${namespace}.svc.cluster.local:${counterPort}`;
    const restarts = async (): Promise<number> =>
      (await pod())!.status.containerStatuses![0]!.restartCount;

    it('is restarted in place when its process 1 is killed', async () => {
      const before = await pod();
      const [restartsBefore, startsBefore] = [await restarts(), await starts()];
      const killed = await nodes!.signal(reference(), 'KILL');
      assert.equal(killed[0]!.command[0], '/bin/node');
      await kubernetes.waitUntil('a restart', async () => (await restarts()) > restartsBefore);
      await waitForCounter(kubernetes, namespace, 1);
      assert.equal((await pod())!.metadata.uid, before!.metadata.uid);
      assert.equal(await starts(), startsBefore + 1);
    });

    it('is not ready while its process is stopped, and is again when that goes on', async () => {
      await nodes!.signal(reference(), 'STOP');
      await kubernetes.waitUntil('the pod not to be ready', async () => !isReady(await pod()));
      await nodes!.signal(reference(), 'CONT');
      await waitForCounter(kubernetes, namespace, 1);
    });

    it('goes on running while the daemons of its node are killed and restarted', async () => {
      const before = await askCounter(address());
      await nodes!.restartDaemons('n1');
      assert.deepEqual(await askCounter(address()), before);
    });

    it('goes on running while the API server is killed and restarted', async () => {
      const before = await askCounter(address());
      await nodes!.restartApiServer();
      assert.deepEqual(await askCounter(address()), before);
      assert.equal((await pod())?.status.phase, 'Running');
    });

    it('comes back with its data after a power cut of its node', async () => {
      const startsBefore = (await askCounter(address())).starts;
      await nodes!.cutPower('n1');
      await assert.rejects(askCounter(address()));
      await nodes!.start('n1');
      await kubernetes.waitUntil('the counter to have started again', async () => {
        const now = await askCounter(address());
        return now.starts > startsBefore;
      });
      await waitForCounter(kubernetes, namespace, 1);
    });
  });
});
