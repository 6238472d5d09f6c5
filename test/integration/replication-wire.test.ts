/** The real services of a leader and two followers over real HTTP, on wires that are slow and broken. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { HttpListener } from '../../runtime/src/adapters/http-listener.ts';
import {
  decodeInternal,
  encodeInternal,
  HttpPeers,
  INTERNAL_CONTENT_TYPE,
} from '../../runtime/src/adapters/http-peers.ts';
import type { Seat } from '../../runtime/src/contract/provider-records.ts';
import type { Reader } from '../../runtime/src/core/storage/engine.ts';
import { systemClock } from '../../runtime/src/foundation/clock.ts';
import { silentLogger } from '../../runtime/src/foundation/logger.ts';
import { buildHttpApp } from '../../runtime/src/http/http-app.ts';
import { internalRoutes } from '../../runtime/src/http/internal-routes.ts';
import type { Leadership, LeadershipPort } from '../../runtime/src/ports/leadership.ts';
import { ReplicationService } from '../../runtime/src/services/replication-service.ts';
import { StorageService } from '../../runtime/src/services/storage-service.ts';
import { SeededRandom } from '../../runtime/src/testing/seeded-random.ts';
import { SimulatedDisk } from '../../runtime/src/testing/simulated-disk.ts';
import { BadWire, GOOD_WIRE, type WireFaults } from '../support/bad-wire.ts';
import { waitUntil } from '../support/wait-until.ts';

const REPLICA_SET = uuidOf(0);
const LEADER: Seat = { uuid: uuidOf(1), incarnation: 1 };
const COOKIE = 'cookie';
const TIMEOUT_MS = 300;

function uuidOf(number: number): string {
  return `00000000-0000-4000-8000-00000000000${number}`;
}

class Given implements LeadershipPort {
  readonly #current: Leadership;

  constructor(current: Leadership) {
    this.#current = current;
  }

  current(): Leadership {
    return this.#current;
  }

  onChange(): () => void {
    return () => undefined;
  }

  async proposeInSync(): Promise<'unknown'> {
    return 'unknown';
  }
}

class Served {
  readonly storage: StorageService;
  readonly leadership: LeadershipPort;
  readonly fatal: unknown[] = [];

  constructor(uuid: string) {
    const leads = uuid === LEADER.uuid;
    this.leadership = new Given(
      leads
        ? { kind: 'leader', term: 1, deadlineMs: Number.POSITIVE_INFINITY, inSync: [LEADER] }
        : { kind: 'follower', term: 1, leader: LEADER.uuid },
    );
    const random = new SeededRandom(1);
    const disk = new SimulatedDisk({ clock: systemClock, random, latencyMs: 0 });
    this.storage = new StorageService({
      disk: disk.mount(),
      clock: systemClock,
      logger: silentLogger,
      identity: { uuid, logIncarnation: 1, incarnation: 1 },
      replicaSetUuid: REPLICA_SET,
      leadership: this.leadership,
      logMode: 'write',
      fatal: (error) => this.fatal.push(error),
      // Many small answers and pieces, and the log is soon not what a new follower gets.
      limits: {
        ...{ segmentBytes: 20_000, recentBytes: 5000, pullBytes: 3000, joinLogBytes: 30_000 },
        ...{ snapshotLogBytes: 20_000, snapshotCheckMs: 100 },
      },
    });
  }

  rows(): Promise<readonly unknown[]> {
    const all = (reader: Reader): readonly unknown[] =>
      reader.space('rows') === undefined ? [] : reader.select('rows', []);
    return this.storage.read(all, { consistency: 'local' });
  }
}

const kinds: Readonly<Record<string, WireFaults>> = {
  slow: { ...GOOD_WIRE, delayMs: 20 },
  'in single bytes': { ...GOOD_WIRE, singleBytes: 700 },
  'breaking in the middle': { ...GOOD_WIRE, breaks: 0.15 },
  'standing still': { ...GOOD_WIRE, stalls: 0.15 },
  'all of it': { delayMs: 10, singleBytes: 300, breaks: 0.1, stalls: 0.05 },
};

describe('followers on bad wires', () => {
  const running = new AsyncDisposableStack();
  const leader = new Served(LEADER.uuid);
  let port = 0;
  let next = 1;

  const write = async (count: number): Promise<void> => {
    for (let left = count; left > 0; left--) {
      const id = next++;
      await leader.storage.write((tx) => {
        tx.replace('rows', [id % 500, `${id} ${'x'.repeat(id % 90)}`]);
        if (id % 3 === 0) tx.delete('rows', [(id * 7) % 500]);
      });
    }
  };

  const follow = async (number: number, seed: number): Promise<[Served, BadWire]> => {
    const wire = running.use(await BadWire.to(port, new SeededRandom(seed)));
    const follower = new Served(uuidOf(number));
    await follower.storage.open();
    running.defer(() => follower.storage.close());
    const peers = new HttpPeers({ authorization: COOKIE });
    const replication = new ReplicationService({
      storage: follower.storage,
      leadership: follower.leadership,
      peers,
      clock: systemClock,
      logger: silentLogger,
      addressOf: () => wire.address,
      limits: { timeoutMs: TIMEOUT_MS, waitMs: 50, lastBackoffMs: 50 },
    });
    const ended = new AbortController();
    const task = replication.run(ended.signal);
    running.defer(async () => {
      ended.abort();
      await peers.close();
      await task;
    });
    return [follower, wire];
  };

  const equal = async (follower: Served): Promise<void> => {
    await waitUntil('it has the rows of its leader', () => {
      const [own, wanted] = [follower.storage.position, leader.storage.position];
      return own.sequence === wanted.sequence;
    });
    assert.deepEqual(await follower.rows(), await leader.rows());
    assert.deepEqual(follower.storage.position, leader.storage.position);
    assert.deepEqual([...follower.fatal, ...leader.fatal], []);
  };

  before(async () => {
    const app = await buildHttpApp({
      logger: silentLogger,
      isAuthorized: (header) => header === COOKIE,
      guarded: [
        internalRoutes({
          handlers: () => leader.storage.handlers(),
          codec: {
            contentType: INTERNAL_CONTENT_TYPE,
            encode: encodeInternal,
            decode: decodeInternal,
          },
          logger: silentLogger,
        }),
      ],
      open: [],
      application: [],
    });
    const listener = new HttpListener(silentLogger);
    listener.swap(app);
    port = await listener.listen('127.0.0.1', 0);
    running.defer(() => listener.close(10));
    await leader.storage.open();
    running.defer(() => leader.storage.close());
    await waitUntil('it leads', () => leader.storage.isWritable);
    await leader.storage.write((tx) => {
      const format = [
        { name: 'id', type: 'unsigned' as const },
        { name: 'text', type: 'string' as const },
      ];
      tx.createSpace('rows', { format });
      tx.createIndex('rows', { name: 'primary', parts: ['id'] });
    });
  });
  after(() => running.disposeAsync());

  for (const [index, [name, faults]] of Object.entries(kinds).entries()) {
    it(`come to the rows of their leader over a wire that is ${name}`, async () => {
      await write(100);
      const [follower, wire] = await follow(index + 2, index);
      wire.faults = faults;
      for (let round = 0; round < 5; round++) {
        await write(30);
        await sleep(60);
      }
      if (faults.breaks > 0) await waitUntil('it has broken', () => wire.counts.breaks > 3);
      if (faults.stalls > 0) await waitUntil('it has stood still', () => wire.counts.stalls > 1);
      await equal(follower);
      wire.faults = GOOD_WIRE;
      await write(50);
      await equal(follower);
    });
  }

  it('join with a snapshot that comes in broken pieces', async () => {
    await write(500);
    await waitUntil('the log is larger than what is given of it', () =>
      leader.storage.copies.snapshot(new AbortController().signal),
    );
    const [follower, wire] = await follow(9, 9);
    wire.faults = { delayMs: 3, singleBytes: 100, breaks: 0.1, stalls: 0.03 };
    await write(200);
    await equal(follower);
    assert.ok(wire.counts.breaks + wire.counts.stalls > 0, 'the wire was bad');
  });
});
