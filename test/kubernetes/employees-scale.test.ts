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

  it('has lost no acknowledged write by all of that', async () => {
    await writer.stop();
    assert.deepEqual(await writer.lost(kubernetes), []);
  });
});
