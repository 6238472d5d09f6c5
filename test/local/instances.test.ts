import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { LocalCluster } from '../support/local-cluster.ts';
import { startStateboard } from '../support/stateboard.ts';

const JANE = {
  employee_id: 'jane',
  name: 'Jane Doe',
  department: 'Delivery',
  position: 'Developer',
  salary: 20_000,
};

describe('a cluster of real processes with a stateboard', () => {
  const running = new AsyncDisposableStack();
  let cluster: LocalCluster;

  before(async () => {
    const stateboard = running.adopt(await startStateboard(), (started) => started.stop());
    const starting = LocalCluster.start({
      provider: stateboard.provider('/test'),
      storages: [2, 1],
    });
    cluster = running.adopt(await starting, (started) => started.stop());
  });
  after(() => running.disposeAsync());

  it('has a leader in each replica set, and all its instances in sync', async () => {
    assert.equal(await cluster.settled(0), cluster.storages[0]?.[0]);
    assert.equal(await cluster.settled(1), cluster.storages[1]?.[0]);
  });

  it('stores an employee once and gives it back', async () => {
    const { router } = cluster;
    assert.deepEqual(await router.request('POST', '/employee', JANE), { status: 201, body: JANE });
    assert.deepEqual(await router.request('GET', '/employee/jane'), { status: 200, body: JANE });
    assert.equal((await router.request('POST', '/employee', JANE)).status, 409);
    assert.equal((await router.request('GET', '/employee/john')).status, 404);
    assert.deepEqual(await router.request('GET', '/employees?salary=15000'), {
      status: 200,
      body: [JANE],
    });
    assert.deepEqual(await router.request('GET', '/employees?salary=25000'), {
      status: 200,
      body: [],
    });
  });
});
