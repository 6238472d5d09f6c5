import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { LocalInstance } from '../support/local-instance.ts';
import { ReplicaSet } from '../support/replica-set.ts';
import { waitUntil } from '../support/wait-until.ts';

const application = path.join(import.meta.dirname, '../soak/fixtures/rows-application.ts');

describe('gossip of real instances', () => {
  let set: ReplicaSet | undefined;

  before(async () => {
    set = await ReplicaSet.start({ instances: 3, application, role: 'soak.rows' });
  });
  after(() => set?.stop());

  const uri = (instance: LocalInstance): string => `127.0.0.1:${instance.port}`;
  const all = (): readonly LocalInstance[] => set?.instances ?? [];

  /** What the instance thinks of everybody: status and state by name. */
  async function view(instance: LocalInstance): Promise<Record<string, string>> {
    const { membership } = await instance.status();
    const name = new Map(all().map((one) => [uri(one), one.name]));
    const lines = membership.map(({ uri: where, status, state }) => [
      name.get(where) ?? where,
      `${status}, ${state ?? ''}`,
    ]);
    return Object.fromEntries(lines) as Record<string, string>;
  }

  async function agree(among: readonly LocalInstance[], wanted: object): Promise<void> {
    let last: unknown;
    const isAgreed = async (): Promise<boolean> => {
      const views = await Promise.all(among.map(view));
      last = views;
      return views.every((one) => JSON.stringify(one) === JSON.stringify(wanted));
    };
    await waitUntil('all think the same', isAgreed, 20_000).catch(() => {
      assert.fail(`wanted ${JSON.stringify(wanted)}, found ${JSON.stringify(last)}`);
    });
  }

  /** In the order of their places, which is the order of the list. */
  function expected(lines: Readonly<Record<string, string>>): Record<string, string> {
    const inOrder = [...all()].sort((a, b) => (uri(a) < uri(b) ? -1 : 1));
    return Object.fromEntries(
      inOrder.map(({ name }) => [name, lines[name] ?? 'alive, RolesConfigured']),
    );
  }

  it('tells who runs, who was killed, who came back, and who left [MEM-05, MEM-10, MEM-12]', async () => {
    const [first, second, third] = all();
    assert.ok(first && second && third);
    await agree(all(), expected({}));
    await third.crash();
    await agree([first, second], expected({ [third.name]: 'dead, RolesConfigured' }));
    third.start();
    await agree(all(), expected({}));
    await third.stop();
    await agree([first, second], expected({ [third.name]: 'left, RolesConfigured' }));
  });

  it('does not start where its port is taken, and says so [MEM-01]', async () => {
    const third = all()[2];
    assert.ok(third && !third.isRunning);
    const other = createSocket('udp4');
    await new Promise<void>((resolve) => other.bind(third.port, '127.0.0.1', resolve));
    third.start();
    await third.ended();
    other.close();
    assert.equal(third.exitCode, 1);
    const why = `UDP port ${third.port} of 127.0.0.1 cannot be opened: another process has it`;
    assert.ok(third.log().includes(why), third.log().slice(-2000));
  });
});
