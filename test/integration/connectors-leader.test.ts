/** What clients that watch `box.status` are told when leadership moves among real instances. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, it } from 'node:test';
import { GREETING_SIZE } from '../../runtime/src/core/iproto/greeting.ts';
import { key, requestType } from '../../runtime/src/core/iproto/protocol.ts';
import { readReplies, requestFrame } from '../../runtime/src/testing/iproto-frames.ts';
import { setUuid } from '../support/first-config.ts';
import { LocalCluster } from '../support/local-cluster.ts';
import type { LocalInstance } from '../support/local-instance.ts';
import { startStateboard } from '../support/stateboard.ts';
import { waitUntil } from '../support/wait-until.ts';

/** Watches as connectors do: each event is acknowledged before the next comes. */
class Watcher {
  /** `is_ro` of each event. */
  readonly told: boolean[] = [];
  readonly #socket: Socket;
  #bytes = Buffer.alloc(0);
  #seen = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
      this.#read();
    });
  }

  static async open({ port }: LocalInstance): Promise<Watcher> {
    const socket = connect({ host: '127.0.0.1', port });
    const watcher = new Watcher(socket);
    await once(socket, 'connect');
    watcher.#watch();
    return watcher;
  }

  close(): void {
    this.#socket.destroy();
  }

  #watch(): void {
    this.#socket.write(requestFrame(requestType.WATCH, 0, [[key.EVENT_KEY, 'box.status']]));
  }

  #read(): void {
    if (this.#bytes.length <= GREETING_SIZE) return;
    const events = readReplies(this.#bytes.subarray(GREETING_SIZE));
    for (const { body } of events.slice(this.#seen)) {
      this.told.push((body[key.EVENT_DATA] as { readonly is_ro: boolean }).is_ro);
      this.#watch();
    }
    this.#seen = events.length;
  }
}

async function followsPromotion(cluster: LocalCluster): Promise<void> {
  const leader = await cluster.settled(0);
  const follower = cluster.storages[0]?.find((each) => each !== leader);
  assert(follower !== undefined);
  const watchers = await Promise.all([leader, follower].map((each) => Watcher.open(each)));
  const areTold = (count: number) =>
    waitUntil(`each watcher is told ${count} times`, () =>
      watchers.every((watcher) => watcher.told.length === count),
    );
  await areTold(1);
  const { uuid } = await follower.status();
  const body = { replicaSetUuid: setUuid(1), to: uuid };
  assert.equal((await cluster.router.request('POST', '/admin/promote', body)).status, 200);
  await areTold(2);
  assert.deepEqual(
    watchers.map(({ told }) => told),
    [
      [false, true],
      [true, false],
    ],
  );
  for (const watcher of watchers) watcher.close();
}

describe('watchers of box.status', () => {
  it('are told by the next leader that it is one, and by the last that it is none', async () => {
    const stateboard = await startStateboard();
    try {
      const provider = stateboard.provider('/t/');
      const cluster = await LocalCluster.start({ provider, storages: [2] });
      await followsPromotion(cluster).finally(() => cluster.stop());
    } finally {
      await stateboard.stop();
    }
  });
});
