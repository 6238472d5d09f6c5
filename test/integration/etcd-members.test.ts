import assert from 'node:assert/strict';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { after, afterEach, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { EtcdStateProvider } from '../../runtime/src/adapters/etcd-state-provider.ts';
import { systemClock } from '../../runtime/src/foundation/clock.ts';
import { ProviderError, type StateProvider } from '../../runtime/src/ports/state-provider.ts';
import { type EtcdCluster, findEtcd, startEtcd, startEtcdCluster } from '../support/etcd.ts';
import { waitUntil } from '../support/wait-until.ts';

const binary = findEtcd();
const absent =
  binary === undefined && 'no etcd: install etcd-server, or set ETCD_BIN to its binary';

/** That of a renewal with the default lease of 2 s. */
const renewal = { timeoutMs: 667 };
const patient = { timeoutMs: 5000 };

function put(provider: StateProvider, key: string, value: string, options = patient) {
  return provider.transact({ compare: [], writes: [{ kind: 'put', key, value }] }, options);
}

/** Tries until it succeeds, as every service does. */
function eventually<T>(what: string, call: () => Promise<T>): Promise<boolean> {
  return waitUntil(what, () => call().then(() => true));
}

/** Also while etcd elects a leader, which it does at any time on a busy machine. */
function stored(provider: StateProvider, key: string, value: string): Promise<boolean> {
  return eventually('it is stored', () => put(provider, key, value));
}

/** What a watcher knows that lists again when its watch is lost, and how often it had to. */
class Follower {
  readonly known = new Map<string, string | null>();
  listings = 0;
  reason = '';
  readonly #end = new AbortController();

  constructor(provider: StateProvider) {
    void this.#run(provider);
  }

  stop(): void {
    this.#end.abort();
  }

  async #run(provider: StateProvider): Promise<void> {
    const { signal } = this.#end;
    while (!signal.aborted) {
      try {
        const { entries, revision } = await provider.list('', renewal);
        this.listings += 1;
        this.known.clear();
        for (const { key, value } of entries) this.known.set(key, value);
        await provider.watch(
          '',
          revision + 1,
          (changes) => {
            for (const { key, value } of changes) this.known.set(key, value);
          },
          signal,
        );
      } catch (error) {
        assert.ok(error instanceof ProviderError);
        this.reason = error.message;
        await systemClock.sleep(50);
      }
    }
  }
}

describe('EtcdStateProvider with three members', { skip: absent }, () => {
  let etcd: EtcdCluster;
  const open = new Set<StateProvider>();
  const clientOf = (endpoints: readonly string[], more: object = {}): EtcdStateProvider => {
    const client = new EtcdStateProvider({
      endpoints,
      prefix: '/members/',
      watchIdleMs: 500,
      ...more,
    });
    open.add(client);
    return client;
  };

  before(async () => {
    etcd = await startEtcdCluster(binary!, 3);
  });
  afterEach(async () => {
    for (const member of etcd.members) member.resume();
    for (const client of open) await client.close();
    open.clear();
  });
  after(() => etcd.stop());

  it('goes on with another member when one is killed, within the same read [ETCD-02]', async () => {
    const [first, second] = etcd.members;
    const provider = clientOf(etcd.endpoints);
    const follower = new Follower(provider);
    await stored(provider, 'a', '1');
    await waitUntil('the follower sees it', () => follower.known.get('a') === '1');
    await first!.kill();
    await stored(clientOf([second!.endpoint]), 'a', '2');
    assert.equal((await provider.get('a', patient))?.value, '2');
    await stored(provider, 'b', '3');
    await waitUntil('the follower sees it', () => follower.known.get('b') === '3');
    assert.deepEqual(Object.fromEntries(follower.known), { a: '2', b: '3' });
    follower.stop();
    await first!.start();
  });

  it('gives one call to a frozen member, and takes its watches elsewhere [ETCD-02]', async () => {
    const [first, second] = etcd.members;
    const provider = clientOf(etcd.endpoints);
    const follower = new Follower(provider);
    await stored(provider, 'a', '1');
    await waitUntil('the follower sees it', () => follower.known.get('a') === '1');
    first!.pause();
    await delay(200);
    await assert.rejects(put(provider, 'a', 'lost', renewal), /no answer in time/);
    await eventually('another member leads', () =>
      put(clientOf([second!.endpoint]), 'b', '2', renewal),
    );
    await stored(provider, 'a', '3');
    await waitUntil('the follower sees it', () => follower.known.get('a') === '3');
    assert.equal(follower.known.get('b'), '2');
    follower.stop();
  });

  it('goes on when another member becomes the leader of etcd', async () => {
    const leader = await etcd.leader();
    const others = etcd.endpoints.filter((_, index) => index !== leader);
    const provider = clientOf(others);
    await stored(provider, 'a', '1');
    etcd.members[leader]!.pause();
    await eventually('a write goes through again', () => put(provider, 'a', '2', renewal));
    assert.equal((await provider.get('a', patient))?.value, '2');
  });

  it('answers nothing, in time and with the reason, when most members are away [CMP-08]', async () => {
    const [first, second, third] = etcd.members;
    const provider = clientOf([first!.endpoint]);
    await stored(provider, 'a', '1');
    second!.pause();
    third!.pause();
    // Of a process that is being stopped, some threads still answer.
    await delay(200);
    const late = await Promise.race([
      provider.get('a', renewal).then(
        () => 'a read that may be stale',
        (error: unknown) => error,
      ),
      delay(3000, 'no answer at all', { ref: false }),
    ]);
    assert.ok(
      late instanceof ProviderError && /most members are away/.test(late.message),
      String(late),
    );
    second!.resume();
    third!.resume();
    await eventually('it answers again', () => provider.get('a', renewal));
  });

  it('never believes a member of another cluster, and tells of it [CMP-11]', async () => {
    const stranger = await startEtcd(binary!);
    try {
      await stored(clientOf([stranger.endpoint]), 'a', 'of another cluster');
      await stored(clientOf(etcd.endpoints), 'a', 'ours');
      const provider = clientOf([stranger.endpoint, ...etcd.endpoints.slice(0, 2)]);
      for (let turn = 0; turn < 4; turn++) {
        assert.equal((await provider.get('a', patient))?.value, 'ours');
      }
      const [told] = await provider.check(patient);
      assert.match(told ?? '', /etcd members disagree: .* belongs to another cluster/);
    } finally {
      await stranger.stop();
    }
  });

  it('keeps within the time of a renewal over a link that takes 300 ms', async () => {
    const slow = await slowLink(etcd.endpoints[0]!, 150);
    const provider = clientOf([slow.endpoint]);
    await stored(provider, 'a', '');
    for (let turn = 0; turn < 3; turn++) await put(provider, 'a', String(turn), renewal);
    await provider.close();
    slow.close();
  });

  it('asks for another token when its own has expired, and names a wrong password [ETCD-05]', async () => {
    await etcd.enableAuthentication('secret');
    const user = { username: 'root', password: 'secret' };
    const provider = clientOf(etcd.endpoints, user);
    await stored(provider, 'a', '1');
    const follower = new Follower(provider);
    await delay(2500);
    assert.deepEqual(await put(provider, 'a', '2').then(({ kind }) => kind), 'applied');
    await waitUntil('the follower sees it', () => follower.known.get('a') === '2');
    follower.stop();
    await assert.rejects(
      put(clientOf(etcd.endpoints, { ...user, password: 'wrong' }), 'a', '3'),
      (error) =>
        error instanceof ProviderError &&
        error.kind === 'refused' &&
        /refuses the user name or the password/.test(error.message),
    );
    await assert.rejects(clientOf(etcd.endpoints).get('a', patient), /demands a user name/);
  });
});

/** Bytes arrive later by so much, in both directions. */
async function slowLink(
  endpoint: string,
  delayMs: number,
): Promise<{ readonly endpoint: string; close(): void }> {
  const sockets = new Set<Socket>();
  const pass = (from: Socket, to: Socket): void => {
    sockets.add(from);
    from.on('data', (bytes) => setTimeout(() => to.writable && to.write(bytes), delayMs));
    from.on('error', () => to.destroy());
    from.on('close', () => to.destroy());
  };
  const server = createServer((socket) => {
    const onward = connect(Number(new URL(endpoint).port), '127.0.0.1');
    pass(socket, onward);
    pass(onward, socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
