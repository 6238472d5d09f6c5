/** Three real instances without a state provider: the leader is killed, the next one frozen, and writes go on. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { key, requestType } from '../../runtime/src/core/iproto/protocol.ts';
import type { IprotoClient } from '../support/iproto-client.ts';
import type { LocalInstance } from '../support/local-instance.ts';
import { ReplicaSet } from '../support/replica-set.ts';
import { waitUntil } from '../support/wait-until.ts';

const application = path.join(
  import.meta.dirname,
  '../local/fixtures/acknowledgement-application.ts',
);
const SPACE = 'usual';
const PATIENCE_MS = 2000;

/** Writes one row after the other to whoever takes it; a row is written again until it is acknowledged. */
class RowWriter {
  readonly acknowledged: number[] = [];
  readonly #set: ReplicaSet;
  readonly #running: Promise<void>;
  #client: IprotoClient | undefined;
  #isStopping = false;

  constructor(set: ReplicaSet) {
    this.#set = set;
    this.#running = this.#run();
  }

  async acknowledges(more: number): Promise<void> {
    const goal = this.acknowledged.length + more;
    const isThere = (): boolean => this.acknowledged.length >= goal;
    await waitUntil(`${more} more writes are acknowledged`, isThere, 20_000);
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#running;
    this.#client?.close();
  }

  async #run(): Promise<void> {
    for (let id = 1; !this.#isStopping; ) {
      if (await this.#isWritten(id)) this.acknowledged.push(id++);
      else await sleep(20);
    }
  }

  async #isWritten(id: number): Promise<boolean> {
    try {
      this.#client ??= await this.#set.connect(await this.#writable());
      const body = [
        [key.SPACE_NAME, SPACE],
        [key.TUPLE, [id]],
      ] as const;
      const answer = this.#client.request(requestType.REPLACE, body);
      const late = sleep(PATIENCE_MS).then(() => Promise.reject(new Error('no answer')));
      await Promise.race([answer, late]);
      return true;
    } catch {
      this.#client?.close();
      this.#client = undefined;
      return false;
    }
  }

  /** Not the frozen one, which answers nothing. */
  async #writable(): Promise<LocalInstance> {
    for (const instance of this.#set.instances) {
      const status = await instance.status(300).catch(() => undefined);
      if (status?.replicaSet?.writable === true) return instance;
    }
    throw new Error('nobody is writable');
  }
}

describe('a replica set in mode raft', () => {
  let set: ReplicaSet;
  let writer: RowWriter;

  before(async () => {
    set = await ReplicaSet.start({
      ...{ instances: 3, application, role: 'spaces' },
      failover: { mode: 'raft', failover_timeout: 1 },
    });
    await set.settled();
    writer = new RowWriter(set);
  });
  after(async () => {
    await writer.stop();
    await set.stop();
  });

  it('replaces a leader that was killed, then one that is frozen, and loses nothing [CMP-12]', async () => {
    await writer.acknowledges(20);
    const first = await set.leader();
    await first.crash();
    await writer.acknowledges(20);
    first.start();
    const second = await set.leader();
    assert.notEqual(second, first);
    await waitUntil('the first leader has caught up', async () => {
      const { replicaSet } = await second.status();
      const followers = replicaSet?.followers ?? [];
      return followers.length === 2 && followers.every(({ lagMs }) => lagMs < 200);
    });
    second.pause();
    await writer.acknowledges(20);
    second.resume();
    await writer.stop();
    const leader = await set.settled();
    const rows = await set.rowsAt(leader, SPACE);
    const ids = new Set(rows.map(([id]) => Number(id)));
    assert.deepEqual(
      writer.acknowledged.filter((id) => !ids.has(id)),
      [],
    );
  });

  it('hands leadership over on demand, and refuses instances that cannot lead [FO-95]', async () => {
    const leader = await set.settled();
    const { replicaSet } = await leader.status();
    const target = set.instances.find((instance) => instance !== leader)!;
    const { uuid: to } = await target.status();
    const promote = (wanted: string) =>
      leader.request('POST', '/admin/promote', { replicaSetUuid: replicaSet?.uuid, to: wanted });
    const unknown = await promote('00000000-0000-4000-8000-0000000000ff');
    assert.equal(unknown.status, 404, JSON.stringify(unknown.body));
    const moved = await promote(to);
    assert.equal(moved.status, 200, JSON.stringify(moved.body));
    assert.equal(await set.leader(), target);
  });
});
