/** Pools of real connectors on three real instances: they write on the leader, whoever it is. */
import assert from 'node:assert/strict';
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { describe, it } from 'node:test';
import { ROWS } from '../soak/crash-rounds.ts';
import { readRows, spaceIdOf } from '../soak/row-checker.ts';
import { setUuid } from '../support/first-config.ts';
import type { LocalInstance } from '../support/local-instance.ts';
import { endWithTheTest } from '../support/processes.ts';
import { ReplicaSet } from '../support/replica-set.ts';
import { waitUntil } from '../support/wait-until.ts';
import { type Connector, findPool, poolNames } from './connectors/install.ts';

const PATIENCE_MS = 60_000;
/** The instance does not lead, or it does not know whether the row will stay. */
const REFUSALS = [7, 78];

/** What the programs print: the uuid of who is asked in a mode, or the port of who tells of itself. */
interface Line {
  readonly reads?: string;
  readonly writes?: string;
  readonly acknowledged?: string;
  readonly refused?: number;
  readonly failed?: string;
  readonly 'told pool'?: string;
  readonly 'told one'?: string;
  readonly readOnly?: boolean;
}

class Pool implements AsyncDisposable {
  readonly lines: Line[] = [];
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  #said = '';

  constructor({ command, args }: Connector, ports: readonly number[]) {
    const stdio: ['pipe', 'pipe', 'pipe'] = ['pipe', 'pipe', 'pipe'];
    this.#child = spawn(command, [...args, ...ports.map(String)], { stdio });
    endWithTheTest(this.#child);
    this.#child.stderr.on('data', (text: Buffer) => {
      this.#said = `${this.#said}${text.toString()}`.slice(-2000);
    });
    createInterface(this.#child.stdout).on('line', (line) =>
      this.lines.push(JSON.parse(line) as Line),
    );
  }

  of<K extends keyof Line>(name: K, from = 0): readonly NonNullable<Line[K]>[] {
    return this.lines.slice(from).flatMap((line) => line[name] ?? []);
  }

  /** The next rows are acknowledged by this instance. */
  async writesOn(instance: LocalInstance): Promise<void> {
    const { uuid } = await instance.status();
    const from = this.lines.length;
    await waitUntil(
      `the pool writes on ${instance.name}`,
      () => {
        if (this.#child.exitCode !== null) throw new Error(`the pool has ended: ${this.#said}`);
        const at = this.lines.findIndex(({ writes }, index) => index > from && writes === uuid);
        return at >= 0 && this.of('acknowledged', at).length > 10;
      },
      PATIENCE_MS,
    );
  }

  /** The newest `is_ro` of each port. */
  readOnly(what: 'told pool' | 'told one'): ReadonlyMap<number, boolean> {
    const newest = new Map<number, boolean>();
    for (const line of this.lines) {
      const port = line[what];
      if (port !== undefined && line.readOnly !== undefined)
        newest.set(Number(port), line.readOnly);
    }
    return newest;
  }

  async end(): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.stdin.end();
    assert.deepEqual(await ended, [0, null], this.#said);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGKILL');
    await once(this.#child, 'exit');
  }
}

/** Another leads. */
interface Change {
  readonly leader: LocalInstance;
  /** The last leader is there again. */
  readonly undo: () => void;
}

const changes: Readonly<Record<string, (set: ReplicaSet, last: LocalInstance) => Promise<Change>>> =
  {
    'a promotion': async (set, last) => {
      const leader = set.instances.find((instance) => instance !== last);
      assert(leader !== undefined);
      const body = { replicaSetUuid: setUuid(0), to: (await leader.status()).uuid };
      const answer = await last.request('POST', '/admin/promote', body);
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
      return { leader, undo: () => undefined };
    },
    'a crash': async (set, last) => {
      await last.crash();
      return { leader: await set.leader(), undo: () => last.start() };
    },
    'a freeze': async (set, last) => {
      last.pause();
      return { leader: await set.leader(), undo: () => last.resume() };
    },
    'a stop': async (set, last) => {
      await last.stop();
      return { leader: await set.leader(), undo: () => last.start() };
    },
  };

async function rowsAreThere(set: ReplicaSet, pool: Pool): Promise<void> {
  const client = await set.connect(await set.settled());
  const { rows } = await readRows(client, await spaceIdOf(client));
  client.close();
  const lost = pool.of('acknowledged').filter((id) => !rows.has(id));
  assert.deepEqual(lost, []);
}

for (const name of poolNames) {
  describe(`a pool of the connector ${name}`, () => {
    it('writes on the leader and reads from followers, whoever they are', async (test) => {
      const connector = findPool(name);
      if (connector === undefined) {
        test.skip(`what ${name} needs is not here`);
        return;
      }
      await using running = new AsyncDisposableStack();
      const starting = ReplicaSet.start({ instances: 3, application: ROWS, role: 'soak.rows' });
      const set = running.adopt(await starting, (started) => started.stop());
      let last = await set.settled();
      const ports = set.instances.map(({ port }) => port);
      const pool = running.use(new Pool(connector, ports));
      await pool.writesOn(last);
      const followers = set.instances.filter((instance) => instance !== last);
      const uuids = await Promise.all(followers.map(async (each) => (await each.status()).uuid));
      assert.deepEqual([...new Set(pool.of('reads'))].sort(), uuids.sort());
      assert.deepEqual([...pool.of('refused'), ...pool.of('failed')], []);

      for (const [kind, change] of Object.entries(changes)) {
        const { leader, undo } = await change(set, last);
        assert.notEqual(leader, last, kind);
        await pool.writesOn(leader);
        undo();
        last = await set.settled();
      }
      if (name === 'go') await isTold(pool, set);
      await pool.end();
      assert.deepEqual(
        pool.of('refused').filter((number) => !REFUSALS.includes(number)),
        [],
      );
      await rowsAreThere(set, pool);
    });
  });
}

/** In the end each watcher of `box.status` knows who leads, also those whose connections were cut on the way. */
async function isTold(pool: Pool, set: ReplicaSet): Promise<void> {
  const leader = await set.settled();
  const wanted = new Map(set.instances.map((each) => [each.port, each !== leader]));
  for (const what of ['told pool', 'told one'] as const) {
    await waitUntil(`watchers know the leader (${what})`, () => {
      const known = pool.readOnly(what);
      return [...wanted].every(([port, isReadOnly]) => known.get(port) === isReadOnly);
    });
  }
}
