/** What a person does on a laptop, with the real command and the machine's own kubectl. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import type { InstanceStatus } from '@tonearm/runtime/contract';
import { isAlive, processesIn } from '../support/processes.ts';
import { findKubectl, TonearmUp } from '../support/tonearm-up.ts';

const kubectl = findKubectl();
const absent = kubectl === undefined && 'no kubectl on the PATH';
const manifest = path.resolve(import.meta.dirname, '../../examples/employees/cluster.yaml');
const JANE = {
  employee_id: 'jane',
  name: 'Jane Doe',
  department: 'Delivery',
  position: 'Developer',
  salary: 20_000,
};

interface PodList {
  readonly items: readonly {
    readonly metadata: {
      readonly name: string;
      readonly labels: Readonly<Record<string, string>>;
      readonly annotations?: Readonly<Record<string, string>>;
    };
  }[];
}

interface Conditioned {
  readonly status?: {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

describe('employees on a laptop', { skip: absent }, () => {
  const up = new TonearmUp(kubectl ?? '');
  let router = '';
  after(async () => {
    await up.stop();
    up.remove();
  });

  async function post(employee: typeof JANE): Promise<number> {
    const response = await fetch(`${router}/employee`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(employee),
    });
    await response.text();
    return response.status;
  }

  async function find(id: string): Promise<unknown> {
    return (await fetch(`${router}/employee/${id}`)).json();
  }

  /** What every instance says of itself. */
  async function statuses(): Promise<readonly InstanceStatus[]> {
    const secret = await up.get<{ data: { cookie: string } }>('secret', 'employees-cookie');
    const cookie = Buffer.from(secret.data.cookie, 'base64').toString();
    const authorization = `Basic ${Buffer.from(`admin:${cookie}`).toString('base64')}`;
    const pods = await up.get<PodList>('pods', '-l', 'tonearm.dev/replica-set');
    return Promise.all(
      pods.items.map(async ({ metadata }) => {
        const address = metadata.annotations?.['tonearm.dev/http-address'] ?? '';
        const response = await fetch(`http://${address}/admin/status`, {
          headers: { authorization },
        });
        return (await response.json()) as InstanceStatus;
      }),
    );
  }

  async function isReady(kind: string, name: string): Promise<boolean> {
    const { status } = await up.get<Conditioned>(kind, name);
    return (
      status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') ?? false
    );
  }

  async function scaled(replicas: number): Promise<void> {
    await up.kubectl('scale', 'trs/employees-storage-1', `--replicas=${replicas}`);
    await up.wait(`${replicas} pods`, async () => {
      const selector = 'tonearm.dev/replica-set=employees-storage-1';
      const pods = await up.get<PodList>('pods', '-l', selector);
      const all = await statuses();
      const ready = await isReady('trs', 'employees-storage-1');
      const own = all.filter(({ replicaSetName }) => replicaSetName === 'employees-storage-1');
      const inSync = own.find(({ replicaSet }) => replicaSet?.writable)?.replicaSet?.inSync.length;
      return pods.items.length === replicas && ready && inSync === replicas;
    });
  }

  it('starts, and takes a write', async () => {
    up.start('-f', manifest);
    router = await up.address('employees-router');
    assert.equal(await post(JANE), 201);
    assert.deepEqual(await find('jane'), JANE);
  });

  it('is shown by kubectl in tables and in full', async () => {
    const tables = await up.kubectl('get', 'tcl,trs,pods');
    for (const name of [
      'cluster.tonearm.dev/employees',
      'replicaset.tonearm.dev/employees-router-1',
      'replicaset.tonearm.dev/employees-storage-1',
      'replicaset.tonearm.dev/employees-storage-2',
      'pod/employees-router-1-0',
      'pod/employees-storage-1-0',
      'pod/employees-storage-2-1',
    ]) {
      assert.ok(tables.includes(`${name} `), tables);
    }
    assert.match(tables, /^NAME +READY +/m);
    const description = await up.kubectl('describe', 'tcl', 'employees');
    assert.match(description, /^Kind: +Cluster$/m);
    assert.match(description, /Type: +Ready/);
    assert.match(description, /^Events:/m);
  });

  it('shows who leads without being told of an instance or a cookie', async () => {
    const shown = await up.tonearm('failover', 'status');
    assert.match(shown, /^Coordinator +employees-/m);
    assert.match(shown, /^employees-storage-1 +employees-storage-1-0 +\d+ +writable +2\/2$/m);
  });

  it('changes the config of every instance once when a changed manifest is applied', async () => {
    const before = await statuses();
    const [version = 0] = before.map(({ config }) => config.version);
    const changed = path.join(up.folder, 'changed.yaml');
    const text = readFileSync(manifest, 'utf8');
    // One section goes and one comes, with the first kubectl apply after "tonearm up" has applied the manifest.
    const section = '  config:\n    app.roles.storage:\n      maxSalary: 50000\n';
    writeFileSync(changed, text.replace(/^ {2}config:\n( {4,}.*\n)+/m, section));
    await up.kubectl('apply', '-f', changed);
    const { spec } = await up.get<{ readonly spec: { readonly config: object } }>('tcl/employees');
    assert.deepEqual(spec.config, { 'app.roles.storage': { maxSalary: 50_000 } });
    await up.wait('the salary is limited', async () => {
      return (await post({ ...JANE, employee_id: 'rich', salary: 50_001 })) === 400;
    });
    await up.wait('every instance has the config', async () => {
      const all = await statuses();
      return all.every(({ config }) => config.version === version + 1);
    });
  });

  it('gets a third copy of its rows, and gives it up again', async () => {
    await scaled(3);
    await scaled(2);
    assert.deepEqual(await find('jane'), JANE);
  });

  it('keeps its rows when the cluster is deleted and applied again', async () => {
    await up.kubectl('delete', '-f', manifest);
    await up.wait('the pods are gone', async () => {
      return (await up.get<PodList>('pods')).items.length === 0;
    });
    await up.kubectl('apply', '-f', manifest);
    await up.wait('the cluster is ready', () => isReady('tcl', 'employees'));
    const rows = await up.wait('the row is there', async () => {
      const found = await find('jane').catch(() => undefined);
      return (found as typeof JANE | undefined)?.employee_id === undefined ? undefined : found;
    });
    assert.deepEqual(rows, JANE);
  });

  it('leaves no process when it is stopped', async () => {
    const running = processesIn(up.folder);
    assert.ok(running.length > 5, `${running.length} processes`);
    assert.equal(await up.stop(), 0);
    assert.deepEqual(running.filter(isAlive), []);
  });

  it('finds its rows when it is started again', async () => {
    up.start('-f', manifest);
    router = await up.address('employees-router');
    assert.deepEqual(await find('jane'), JANE);
    assert.equal(await post({ ...JANE, employee_id: 'john' }), 201);
    assert.equal(await up.stop(), 0);
  });
});
