/**
 * Proves that an operator with nothing to do writes nothing but its own Lease. The API server itself counts the
 * requests, also those that change nothing.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { withKubernetes } from './cluster.ts';
import { Employees } from './fixtures/employees.ts';
import { operatorNamespace } from './fixtures/operator.ts';

const kubernetes = withKubernetes();
const idleMs = 60_000;
/** What happened before may have been told only in part: repeated events are counted, and the count follows later. */
const toldMs = 40_000;

/** What only the operator writes in this cluster. Pods' status and Leases have other writers too. */
const resources = [
  'tonearm.dev/clusters',
  'tonearm.dev/replicasets',
  'apps/statefulsets',
  'policy/poddisruptionbudgets',
  'events.k8s.io/events',
  '/services',
  '/secrets',
  '/configmaps',
  '/persistentvolumeclaims',
  '/pods',
];
const writes = ['POST', 'PUT', 'PATCH', 'APPLY', 'DELETE', 'DELETECOLLECTION'];

describe('an idle cluster', () => {
  let employees: Employees;
  before(async () => {
    employees = await Employees.open(kubernetes);
  });
  after(async () => employees.close());

  /** Writes so far: `verb group/resource/subresource` and their number. */
  const count = async (): Promise<ReadonlyMap<string, number>> => {
    const metrics = await kubernetes.kubectl(['get', '--raw', '/metrics']);
    const counts = new Map<string, number>();
    for (const line of metrics.split('\n')) {
      if (!line.startsWith('apiserver_request_total{')) continue;
      const label = (name: string): string =>
        new RegExp(`[{,]${name}="([^"]*)"`).exec(line)?.[1] ?? '';
      const resource = `${label('group')}/${label('resource')}`;
      const subresource = label('subresource');
      if (!writes.includes(label('verb')) || !resources.includes(resource)) continue;
      if (resource === '/pods' && subresource === 'status') continue;
      const key = `${label('verb')} ${resource} ${subresource}`;
      counts.set(key, (counts.get(key) ?? 0) + Number(line.split(' ').at(-1)));
    }
    return counts;
  };
  const renewedAt = async (): Promise<unknown> => {
    const name = 'tonearm-tonearm-operator';
    return (await kubernetes.get({ kind: 'lease', name, namespace: operatorNamespace }))?.spec?.[
      'renewTime'
    ];
  };

  const statuses = async (): Promise<readonly unknown[]> =>
    [await employees.cluster(), ...(await employees.replicaSets())].map((each) => each?.status);

  /** Until nothing was written for a while. */
  const everythingTold = async (): Promise<void> => {
    let [last, since] = ['', Date.now()];
    const isTold = async (): Promise<boolean> => {
      const present = JSON.stringify([...(await count())]);
      if (present !== last) [last, since] = [present, Date.now()];
      return Date.now() - since > toldMs;
    };
    await kubernetes.waitUntil('everything to be told', isTold, 180_000);
  };

  it('costs the API server no write of the operator in a minute but those of its Lease', async () => {
    await everythingTold();
    const [before, renewedBefore] = [await count(), await renewedAt()];
    const statusesBefore = await statuses();
    assert.ok(
      [...before.keys()].some((key) => key.includes('tonearm.dev/clusters')),
      'the writes until now were counted',
    );
    await sleep(idleMs);
    // First what was written, if anything: it says more than how often.
    assert.deepEqual(await statuses(), statusesBefore);
    assert.deepEqual(await count(), before);
    assert.notEqual(await renewedAt(), renewedBefore);
  });
});
