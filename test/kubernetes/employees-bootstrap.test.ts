/** Proves the main job: a manifest is applied, and a cluster takes writes, with its leadership in etcd. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { withKubernetes } from './cluster.ts';
import { Employees, employee } from './fixtures/employees.ts';
import { isReady, type Pod } from './objects.ts';

const kubernetes = withKubernetes();

describe('the employees manifest on Kubernetes', () => {
  let employees: Employees;
  before(async () => {
    employees = await Employees.open(kubernetes);
  });
  after(async () => employees.close());

  it('becomes pods that are all ready', async () => {
    const names = [
      'employees-etcd-0',
      'employees-router-1-0',
      'employees-storage-1-0',
      'employees-storage-1-1',
      'employees-storage-2-0',
      'employees-storage-2-1',
    ];
    const found = await employees.kubectl(
      ...['get', 'pods', '-l', 'tonearm.dev/cluster=employees', '-o', 'json'],
    );
    const pods = (JSON.parse(found) as { readonly items: readonly Pod[] }).items;
    assert.deepEqual(
      pods.map((pod) => [pod.metadata.name, isReady(pod)]),
      names.map((name) => [name, true]),
    );
  });

  it('takes a write and gives it back through the Service of the routers', async () => {
    const wanted = employee(`first-${Date.now()}`, 4711);
    assert.deepEqual(await employees.post(wanted), { status: 201, body: wanted });
    assert.equal((await employees.post(wanted)).status, 409);
    assert.deepEqual(await employees.find(wanted.employee_id), { status: 200, body: wanted });
    assert.equal((await employees.find('nobody')).status, 404);
    const { body } = await employees.earning(4711);
    assert.deepEqual(
      (body as readonly unknown[]).filter(
        (each) => (each as typeof wanted).employee_id === wanted.employee_id,
      ),
      [wanted],
    );
  });

  it('shows in tables what people look for', async () => {
    const clusters = (await employees.kubectl('get', 'tcl')).trim().split('\n');
    assert.match(clusters[0]!, /^NAME +READY +REASON +UPTODATE +INSTANCES +SERVING +CONFIG +AGE$/);
    assert.match(clusters[1]!, /^employees +True +Serving +True +5 +5 +\d+ +\S+$/);
    const sets = (await employees.kubectl('get', 'trs')).trim().split('\n');
    assert.match(sets[0]!, /^NAME +CLUSTER +REPLICAS +SERVING +LEADER +READY +REASON +AGE$/);
    assert.equal(sets.length, 4);
    assert.match(
      sets[2]!,
      /^employees-storage-1 +employees +2 +2 +employees-storage-1-\d +True +Serving +\S+$/,
    );
    const both = await employees.kubectl('get', 'tonearm', '-o', 'name');
    assert.deepEqual(both.trim().split('\n').sort(), [
      'cluster.tonearm.dev/employees',
      'replicaset.tonearm.dev/employees-router-1',
      'replicaset.tonearm.dev/employees-storage-1',
      'replicaset.tonearm.dev/employees-storage-2',
    ]);
  });

  it('keeps its leaders, leases and lock in the managed etcd', async () => {
    const cluster = await employees.cluster();
    const instances = await employees.statuses();
    const uuids = new Map([...instances].map(([name, { uuid }]) => [name, uuid]));
    const records = await employees.records();
    for (const { metadata, status } of await employees.replicaSets()) {
      const leader = uuids.get(status?.leader ?? '');
      const { leader: appointed, term } = records.get(`leaders/${status?.uuid}`) ?? {};
      const lease = records.get(`lease/${status?.uuid}`) ?? {};
      assert.equal(appointed, leader, metadata.name);
      const told = [lease['holder'], lease['term'], lease['released']];
      assert.deepEqual(told, [leader, term, false], metadata.name);
    }
    assert.equal(records.get('identity')?.['clusterUuid'], cluster?.status?.uuid);
    const coordinators = [...instances.values()].filter(({ roles }) =>
      roles.includes('failover-coordinator'),
    );
    const holder = records.get('lock')?.['holder'];
    assert.ok(coordinators.some(({ uuid }) => uuid === holder));
  });
});
