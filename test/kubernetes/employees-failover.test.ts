/**
 * Proves that the loss of a leader costs no acknowledged write, and that writes go on by themselves, also without an
 * operator. How long they paused is printed and not judged: it depends on the machine.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { withKubernetes } from './cluster.ts';
import { Writer } from './fixtures/employee-writer.ts';
import { Employees } from './fixtures/employees.ts';
import { scaleOperator } from './fixtures/operator.ts';

const kubernetes = withKubernetes();
const nodes = kubernetes.nodes;
const needsOurNode = nodes === undefined && 'needs our own node';
const set = 'employees-storage-1';

describe('the leader of a replica set on Kubernetes', () => {
  let employees: Employees;
  before(async () => {
    employees = await Employees.open(kubernetes);
  });
  after(async () => employees.close());

  const setUuid = async (): Promise<string> =>
    (await employees.replicaSets()).find(({ metadata }) => metadata.name === set)?.status?.uuid ??
    '';
  const termOf = async (): Promise<number> => {
    return Number((await employees.records()).get(`leaders/${await setUuid()}`)?.['term']);
  };

  /** Hits the leader while writes are running, and waits until all is as before: what `mend` does, if it needs that. */
  const survive = async (
    how: string,
    hit: (leader: string) => Promise<void>,
    mend: () => Promise<void> = () => Promise.resolve(),
  ): Promise<void> => {
    const writer = new Writer(employees, 'failover');
    try {
      await writer.goesOn(kubernetes);
      const [leader, term] = [await employees.leaderOf(set), await termOf()];
      await hit(leader);
      await kubernetes.waitUntil('a new term', async () => (await termOf()) > term);
      await kubernetes.waitUntil('a writable leader', async () => {
        const now = (await employees.records()).get(`leaders/${await setUuid()}`)?.['leader'];
        const told = await employees.statuses();
        return [...told.values()].some(
          ({ uuid, replicaSet }) => uuid === now && replicaSet?.writable === true,
        );
      });
      await writer.goesOn(kubernetes, 100);
      await mend();
      await employees.settled();
    } finally {
      await writer.stop();
    }
    assert.deepEqual(await writer.lost(kubernetes), []);
    const { acknowledged, longestGapMs } = writer;
    process.stdout.write(
      `  ${how}: ${acknowledged.length} writes, longest pause ${longestGapMs} ms\n`,
    );
  };

  it('is followed by another when its pod is deleted', async () => {
    await survive('pod deleted', async (leader) => {
      await employees.kubectl('delete', 'pod', leader, '--wait=false');
    });
  });

  it('is followed by another when its pod is deleted by force', async () => {
    await survive('pod deleted by force', async (leader) => {
      await employees.kubectl('delete', 'pod', leader, '--force', '--grace-period=0');
    });
  });

  it('is followed by another while no operator runs', async () => {
    await scaleOperator(kubernetes, 0);
    const mend = (): Promise<void> => scaleOperator(kubernetes, 1);
    try {
      const hit = async (leader: string): Promise<void> => {
        await employees.kubectl('delete', 'pod', leader, '--force', '--grace-period=0');
      };
      await survive('pod deleted by force, no operator', hit, mend);
    } finally {
      await mend();
    }
  });

  it('is followed by another when its data process is killed', { skip: needsOurNode }, async () => {
    await survive('data process killed', async (leader) => {
      // The launcher is process 1; it stays, and tells what has died.
      const killed = await nodes!.signal(
        { namespace: employees.namespace, pod: leader },
        'KILL',
        ({ command }, index) => index > 0 && command.some((word) => word.endsWith('main.js')),
      );
      assert.equal(killed.length, 1);
    });
  });

  it('is followed by another when its whole container is killed', {
    skip: needsOurNode,
  }, async () => {
    await survive('container killed', async (leader) => {
      await nodes!.signal({ namespace: employees.namespace, pod: leader }, 'KILL', () => true);
    });
  });
});
