/** Proves that a Cluster that is deleted and applied again has the same rows, and is the same cluster. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { withKubernetes } from './cluster.ts';
import { Writer } from './fixtures/employee-writer.ts';
import { Employees } from './fixtures/employees.ts';

const kubernetes = withKubernetes();

describe('a Cluster that is deleted', () => {
  let employees: Employees;
  let writer: Writer;
  let uuid: string | undefined;
  before(async () => {
    employees = await Employees.open(kubernetes);
    uuid = (await employees.cluster())?.status?.uuid;
    writer = new Writer(employees, 'recreated');
    await writer.goesOn(kubernetes, 200);
    await writer.stop();
  });
  after(async () => {
    await employees.apply();
    await employees.settled();
    await employees.close();
  });

  it('goes with its pods, and leaves its claims', async () => {
    await employees.kubectl('delete', 'tcl/employees', '--wait=true');
    await kubernetes.waitUntil('the pods to be gone', async () => {
      const left = await employees.kubectl('get', 'pods,sts,svc,trs', '-o', 'name');
      return left === '';
    });
    const claims = (await employees.kubectl('get', 'pvc', '-o', 'name')).trim().split('\n');
    for (const pod of ['etcd-0', 'storage-1-0', 'storage-1-1', 'storage-2-0', 'storage-2-1']) {
      assert.ok(claims.includes(`persistentvolumeclaim/data-employees-${pod}`), pod);
    }
  });

  it('is the same cluster with the same rows when it is applied again', async () => {
    await employees.apply();
    await employees.settled();
    assert.equal((await employees.cluster())?.status?.uuid, uuid);
    assert.deepEqual(await writer.lost(kubernetes), []);
    const again = new Writer(employees, 'again');
    await again.goesOn(kubernetes);
    await again.stop();
  });
});
