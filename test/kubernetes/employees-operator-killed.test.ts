/**
 * Proves that the operator may die in the middle of anything: the next one comes to the same end. An instance that is
 * stopped holds a two-phase change in its middle for as long as the operator needs to die.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { withKubernetes } from './cluster.ts';
import { Writer } from './fixtures/employee-writer.ts';
import { Employees } from './fixtures/employees.ts';
import { operatorNamespace, operatorPod } from './fixtures/operator.ts';

const kubernetes = withKubernetes();
const nodes = kubernetes.nodes;
const set = 'employees-storage-1';

type Kill = () => Promise<void>;

describe('an operator killed in the middle', {
  skip: nodes === undefined && 'needs our own node',
}, () => {
  let employees: Employees;
  before(async () => {
    employees = await Employees.open(kubernetes);
  });
  after(async () => {
    await employees.apply();
    await employees.scale(set, 2);
    await employees.settled();
    await employees.close();
  });

  const killProcess: Kill = async () => {
    const kill = async (): Promise<boolean> => {
      const pod = await operatorPod(kubernetes);
      await nodes!.signal({ namespace: operatorNamespace, pod }, 'KILL');
      return true;
    };
    // There may be no process yet: the kubelet waits before it starts one again.
    await kubernetes.waitUntil('a process to kill', () => kill().catch(() => false), 120_000);
  };
  const deletePod: Kill = async () => {
    const pod = await operatorPod(kubernetes);
    const force = ['--force', '--grace-period=0'];
    await kubernetes.kubectl(['delete', 'pod', pod, '-n', operatorNamespace, ...force]);
  };
  const operatorReady = async (): Promise<void> => {
    const rollout = ['rollout', 'status', '-n', operatorNamespace, '--timeout=120s'];
    const deployments = await kubernetes.kubectl([
      ...['get', 'deployments', '-n', operatorNamespace, '-o', 'name'],
    ]);
    await kubernetes.kubectl([...rollout, ...deployments.trim().split(/\s+/)]);
  };
  const ways = [
    ['its process is killed', killProcess],
    ['its pod is deleted', deletePod],
  ] as const;

  /** Begins the change, and kills the operator while some instances hold its lock and one cannot. */
  const killDuring = async (begin: () => Promise<void>, kill: Kill): Promise<void> => {
    const follower = await followerOf('employees-storage-2');
    const reference = { namespace: employees.namespace, pod: follower };
    await nodes!.signal(reference, 'STOP', () => true);
    try {
      await begin();
      await kubernetes.waitUntil('an instance to be locked', async () => {
        const others = (await employees.pods()).filter((pod) => pod !== follower);
        const told = await Promise.all(
          others.map((pod) => employees.status(pod).catch(() => undefined)),
        );
        return told.some((status) => (status?.preparedChangeId ?? null) !== null);
      });
      await kill();
    } finally {
      await nodes!.signal(reference, 'CONT', () => true);
    }
    await employees.settled();
  };
  const followerOf = async (replicaSet: string): Promise<string> => {
    const leader = await employees.leaderOf(replicaSet);
    const pods = await employees.pods();
    return pods.find((pod) => pod.startsWith(`${replicaSet}-`) && pod !== leader) ?? '';
  };

  for (const [how, kill] of ways) {
    it(`ends a change of the config when ${how}`, async () => {
      const [before] = await employees.configVersions();
      await killDuring(async () => employees.patch({ config: { during: { how } } }), kill);
      assert.deepEqual(await employees.configVersions(), [before! + 1]);
    });
  }

  it('ends scaling up and down when it is killed', async () => {
    const writer = new Writer(employees, 'killed');
    try {
      const [before] = await employees.configVersions();
      // Not held: an instance that is stopped for as long as a pod needs to start counts as down.
      await employees.scale(set, 3);
      await kubernetes.waitUntil('the pod to join', async () =>
        (await employees.pods()).includes(`${set}-2`),
      );
      await killProcess();
      await employees.settled();
      assert.deepEqual(await employees.configVersions(), [before! + 1]);
      await killDuring(async () => employees.scale(set, 2), deletePod);
      await kubernetes.waitUntil(
        'the last pod to be gone',
        async () => !(await employees.pods()).includes(`${set}-2`),
      );
      assert.deepEqual(await employees.configVersions(), [before! + 2]);
      await writer.goesOn(kubernetes);
    } finally {
      await writer.stop();
    }
    assert.deepEqual(await writer.lost(kubernetes), []);
  });

  for (const [how, kill] of ways) {
    it(`bootstraps once when ${how} again and again`, async () => {
      const [namespace, remove] = await kubernetes.makeNamespace('killed');
      const fresh = new Employees(kubernetes, namespace);
      try {
        // A pod whose process was killed before is started again only after a back-off that grows.
        await deletePod();
        await operatorReady();
        await fresh.apply();
        for (const reason of ['WaitingForEtcd', 'WaitingForInstances']) {
          // While the operator is away the cluster may have come further than the step that is waited for.
          const reached = async (): Promise<boolean> => {
            const status = (await fresh.cluster())?.status;
            const isThere = status?.conditions?.some((each) => each.reason === reason) === true;
            return isThere || (status?.configVersion ?? 0) > 0;
          };
          await kubernetes.waitUntil(`the reason ${reason}`, reached, 180_000);
          await kill();
          await kubernetes.waitUntil('an operator', async () =>
            operatorPod(kubernetes).then(
              () => true,
              () => false,
            ),
          );
        }
        await fresh.settled();
        assert.deepEqual(await fresh.configVersions(), [1]);
        const writer = new Writer(fresh, 'fresh');
        await writer.goesOn(kubernetes);
        await writer.stop();
        assert.deepEqual(await writer.lost(kubernetes), []);
      } finally {
        await fresh.close();
        await remove();
      }
    });
  }
});
