/** Proves that replica sets grow and shrink while they keep their rows, and that one with buckets is not removed. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { withKubernetes } from './cluster.ts';
import { Writer } from './fixtures/employee-writer.ts';
import { Employees } from './fixtures/employees.ts';

const kubernetes = withKubernetes();
const set = 'employees-storage-1';
const third = `${set}-2`;

describe('the size of a cluster on Kubernetes', () => {
  let employees: Employees;
  let writer: Writer;
  before(async () => {
    employees = await Employees.open(kubernetes);
    writer = new Writer(employees, 'scale');
  });
  after(async () => {
    await writer.stop();
    await employees.apply();
    await employees.scale(set, 2);
    await employees.settled();
    await employees.close();
  });

  const membersOf = async (replicaSet: string): Promise<readonly string[]> => {
    const found = (await employees.replicaSets()).find((each) => each.metadata.name === replicaSet);
    return (found?.status?.members ?? []).map(({ name }) => name).toSorted();
  };
  const positionOf = async (pod: string): Promise<number> =>
    (await employees.status(pod)).replicaSet?.acknowledged.sequence ?? 0;
  const goneFromKubernetes = async (pod: string): Promise<void> =>
    kubernetes.waitUntil(`${pod} to be gone`, async () => !(await employees.pods()).includes(pod));

  it('grows by an instance that joins and gets all rows', async () => {
    const [before] = await employees.configVersions();
    await writer.goesOn(kubernetes);
    await employees.scale(set, 3);
    await employees.settled();
    assert.deepEqual(await membersOf(set), [`${set}-0`, `${set}-1`, third]);
    assert.deepEqual(await employees.configVersions(), [before! + 1]);
    const leader = await employees.leaderOf(set);
    const goal = await positionOf(leader);
    await kubernetes.waitUntil(`${third} to catch up`, async () => {
      const { replicaSet } = await employees.status(third);
      const told = (await employees.status(leader)).replicaSet?.inSync ?? [];
      const { uuid } = await employees.status(third);
      return (replicaSet?.acknowledged.sequence ?? 0) >= goal && told.includes(uuid);
    });
  });

  it('shrinks by expelling the last instance; its pod goes and its claim stays', async () => {
    const [before] = await employees.configVersions();
    await employees.scale(set, 2);
    await employees.settled();
    await goneFromKubernetes(third);
    assert.deepEqual(await membersOf(set), [`${set}-0`, `${set}-1`]);
    assert.deepEqual(await employees.configVersions(), [before! + 1]);
    const claims = await employees.kubectl('get', 'pvc', '-o', 'name');
    assert.ok(claims.split('\n').includes(`persistentvolumeclaim/data-${third}`), claims);
    await writer.goesOn(kubernetes);
  });

  it('grows again over the claim that stayed, with a new instance', async () => {
    await employees.scale(set, 3);
    await employees.settled();
    assert.deepEqual(await membersOf(set), [`${set}-0`, `${set}-1`, third]);
    await writer.goesOn(kubernetes);
  });

  it('shrinks when the instance to go leads, after it has handed over', async () => {
    const { uuid } = await employees.status(third);
    await kubernetes.waitUntil(`${third} to be in sync`, async () => {
      const leader = await employees.status(await employees.leaderOf(set));
      return leader.replicaSet?.inSync.includes(uuid) === true;
    });
    await employees.promote(third);
    await kubernetes.waitUntil(
      `${third} to lead`,
      async () => (await employees.status(third)).replicaSet?.writable === true,
    );
    await writer.goesOn(kubernetes);
    await employees.scale(set, 2);
    await employees.settled();
    await goneFromKubernetes(third);
    await writer.goesOn(kubernetes);
  });

  it('grows by replica sets without buckets, and loses them again', async () => {
    const templates = (await employees.cluster())!.spec.replicaSets;
    const counted = (count: number): object => ({
      replicaSets: templates.map((each) => (each.name === 'storage' ? { ...each, count } : each)),
    });
    await employees.patch(counted(3));
    await kubernetes.waitUntil(
      'a third storage replica set',
      async () => (await membersOf('employees-storage-3')).length === 2,
    );
    await employees.settled();
    await employees.patch(counted(2));
    await kubernetes.waitUntil('it to be gone', async () =>
      (await employees.replicaSets()).every(
        ({ metadata }) => metadata.name !== 'employees-storage-3',
      ),
    );
    await employees.settled();
  });

  it('does not lose a replica set that owns buckets, and says why', async () => {
    const before = await employees.configVersions();
    const templates = (await employees.cluster())!.spec.replicaSets;
    await employees.patch({
      replicaSets: templates.map((each) =>
        each.name === 'storage' ? { ...each, count: 1 } : each,
      ),
    });
    await kubernetes.waitUntil('the refusal', async () => {
      const conditions = (await employees.cluster())?.status?.conditions ?? [];
      return conditions.some(
        ({ type, status, reason, message }) =>
          type === 'SpecValid' &&
          status === 'False' &&
          reason === 'OwnsBuckets' &&
          message.includes('employees-storage-2'),
      );
    });
    assert.deepEqual(await employees.configVersions(), before);
    await writer.goesOn(kubernetes);
    await employees.apply();
    await employees.settled();
  });

  it('has lost no acknowledged write by all of that', async () => {
    await writer.stop();
    assert.deepEqual(await writer.lost(kubernetes), []);
  });
});
