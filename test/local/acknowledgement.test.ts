import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { key, requestType } from '../../runtime/src/core/iproto/protocol.ts';
import type { IprotoClient, IprotoReply } from '../support/iproto-client.ts';
import type { LocalInstance } from '../support/local-instance.ts';
import { ReplicaSet } from '../support/replica-set.ts';
import { waitUntil } from '../support/wait-until.ts';

const application = path.join(import.meta.dirname, 'fixtures/acknowledgement-application.ts');

function insert(client: IprotoClient, space: string, id: number): Promise<IprotoReply> {
  return new Promise((resolve) => {
    const body = [
      [key.SPACE_NAME, space],
      [key.TUPLE, [id]],
    ] as const;
    client.send(requestType.INSERT, body, resolve);
  });
}

describe('a replica set of two whose follower stands still', () => {
  let set: ReplicaSet;
  let leader: LocalInstance;
  let client: IprotoClient;

  before(async () => {
    set = await ReplicaSet.start({ instances: 2, application, role: 'spaces' });
    leader = await set.settled();
    client = await set.connect(leader);
  });
  after(async () => {
    client.close();
    await set.stop();
  });

  it('answers for local spaces only, says who is missing, and goes on when it is back', async () => {
    const follower = set.instances.find((instance) => instance !== leader)!;
    const { uuid } = await follower.status();
    follower.pause();
    const answered: string[] = [];
    const safe = insert(client, 'safe', 1).then(({ error }) => answered.push(`safe ${error}`));
    const { error } = await insert(client, 'fast', 1);
    assert.deepEqual([error, answered], [0, []]);
    const issue = await waitUntil('the leader has an issue', async () => {
      const { issues } = await leader.status();
      return issues.find(({ topic }) => topic === 'synchronous-spaces');
    });
    assert.ok(issue.message.includes(uuid), issue.message);
    const { replicaSet } = await leader.status();
    const [view] = replicaSet?.followers ?? [];
    assert.deepEqual([view?.uuid, view?.isInSync, view?.rowsBehind, answered], [uuid, true, 2, []]);
    assert.ok((view?.lagMs ?? 0) > 0 && (view?.idleMs ?? 0) > 0);
    follower.resume();
    await safe;
    assert.deepEqual(answered, ['safe 0']);
  });

  it('gives its figures to Prometheus, without a login', async () => {
    await set.settled();
    const response = await fetch(`http://127.0.0.1:${leader.httpPort}/metrics`);
    assert.match(response.headers.get('content-type') ?? '', /^text\/plain/);
    const text = await response.text();
    for (const line of [
      /^tnt_read_only\{alias="row-\d"\} 0$/m,
      /^tonearm_replication_rows_behind\{alias="row-\d",id="[-0-9a-f]+"\} 0$/m,
      /^tonearm_lost_rows\{alias="row-\d"\} 0$/m,
      /^tnt_slab_quota_used\{alias="row-\d"\} [1-9]\d+$/m,
    ]) {
      assert.match(text, line);
    }
  });
});
