import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ClusterConfig } from '../contract/cluster-config.ts';
import type { Json } from '../contract/json.ts';
import { buildConfig } from '../core/config/apply-patch.ts';
import { silentLogger } from '../foundation/logger.ts';
import { TaskRegistry } from '../foundation/task-registry.ts';
import { defineRole } from '../role/define-role.ts';
import type { RoleContext } from '../role/role-context.ts';
import { SimulatedClock } from '../testing/simulated-clock.ts';
import { InstanceLifecycle } from './instance-lifecycle.ts';
import { RoleHost } from './role-host.ts';

const CLUSTER = '11111111-1111-4111-a111-111111111111';
const SET = 'dddddddd-dddd-4ddd-addd-dddddddddddd';
const OWN = 'aaaaaaaa-aaaa-4aaa-aaaa-aaaaaaaaaaaa';

/** `server`: what the config says of this instance; nothing for one that it does not name. */
function configAt(version: number, server: 'joined' | 'expelled' | 'unknown'): ClusterConfig {
  const own: Json =
    server === 'expelled'
      ? 'expelled'
      : { uri: 'a:1', http_uri: 'a:2', alias: 'a', replicaset_uuid: SET };
  const topology = {
    servers: server === 'unknown' ? {} : { [OWN]: own },
    replicasets: { [SET]: { alias: 'set', roles: ['app'], failover_priority: [OWN] } },
  };
  return buildConfig(
    { app: { version }, topology },
    {
      base: { version: version - 1, checksum: '' },
      changeId: '',
      clusterUuid: CLUSTER,
      author: '',
      message: '',
      time: '',
    },
  );
}

class Fixture {
  readonly clock = new SimulatedClock();
  readonly happened: string[] = [];
  readonly failed: unknown[] = [];
  /** Each in its turn, as it was told. */
  readonly states: string[] = [];
  readonly tasks = new TaskRegistry(silentLogger, (name, error) => this.failed.push(name, error));
  active: ClusterConfig | undefined;
  isWritable = false;
  /** Errors of the role and of the storage, while they are set. */
  roleFault: string | undefined;
  openFault: string | undefined;
  routeFault: string | undefined;
  readonly lifecycle: InstanceLifecycle;

  constructor(active?: ClusterConfig) {
    this.active = active;
    const replicaSet = {
      open: async () => {
        this.happened.push('open');
        if (this.openFault !== undefined) throw new Error(this.openFault);
      },
      run: () => void this.happened.push('run'),
      configure: async ({ meta }: ClusterConfig) =>
        void this.happened.push(`configure ${meta.version}`),
    };
    this.lifecycle = new InstanceLifecycle({
      uuid: OWN,
      clock: this.clock,
      logger: silentLogger,
      tasks: this.tasks,
      roles: this.#roles(),
      activeConfig: () => this.active,
      join: (uuid) => {
        this.happened.push(uuid === SET ? 'join' : `join ${uuid}`);
        const isWritable = (): boolean => this.isWritable;
        return {
          ...replicaSet,
          get isWritable() {
            return isWritable();
          },
        };
      },
      onState: (state) => void this.states.push(state),
      onRolesApplied: async () => {
        if (this.routeFault !== undefined) throw new Error(this.routeFault);
      },
      onExpelled: ({ meta }) => void this.happened.push(`expelled by ${meta.version}`),
    });
  }

  #roles(): RoleHost {
    const app = defineRole({
      name: 'app',
      validateConfig: () => {
        if (this.roleFault === 'validate') throw new Error('not like this');
      },
      applyConfig: (_context, config, { isLeader }) => {
        const { version } = config as { version: number };
        this.happened.push(`apply ${version}${isLeader ? ' as leader' : ''}`);
        if (this.roleFault === 'apply') throw new Error('not now');
      },
    });
    return new RoleHost({
      roles: [app],
      clock: this.clock,
      logger: silentLogger,
      makeContext: (scope) => ({ signal: scope.signal }) as RoleContext,
    });
  }

  async commit(config: ClusterConfig): Promise<void> {
    this.active = config;
    await this.lifecycle.committed(config);
  }

  /** State, error, and what happened since the last look. */
  look(): readonly [string, string | null, string] {
    const { name, error } = this.lifecycle.state;
    return [name, error, this.happened.splice(0).join(', ')];
  }
}

describe('InstanceLifecycle, starting', () => {
  it('waits blank, and boots with the first config [BOOT-03]', async () => {
    const fixture = new Fixture();
    await fixture.lifecycle.start();
    assert.deepEqual(fixture.look(), ['Unconfigured', null, '']);
    await fixture.commit(configAt(1, 'joined'));
    assert.deepEqual(fixture.look(), ['RolesConfigured', null, 'join, open, run, apply 1']);
  });

  it('comes back with the config of its disk', async () => {
    const fixture = new Fixture(configAt(3, 'joined'));
    await fixture.lifecycle.start();
    assert.deepEqual(fixture.look(), ['RolesConfigured', null, 'join, open, run, apply 3']);
    assert.deepEqual(fixture.states, [
      'ConfigFound',
      'ConfigLoaded',
      'RecoveringSnapshot',
      'ConnectingFullmesh',
      'BoxConfigured',
      'ConfiguringRoles',
      'RolesConfigured',
    ]);
  });

  it('does not begin with a config that does not name it, or that its roles do not take', async () => {
    const stranger = new Fixture(configAt(3, 'unknown'));
    await stranger.lifecycle.start();
    const reason = 'the cluster config in the data directory does not name this instance';
    assert.deepEqual(stranger.look(), ['InitError', reason, '']);
    const refusing = new Fixture(configAt(3, 'joined'));
    refusing.roleFault = 'validate';
    await refusing.lifecycle.start();
    const refusal = 'role "app" refuses the config: not like this';
    assert.deepEqual(refusing.look(), ['InitError', refusal, '']);
  });

  it('goes away when the config of its disk has expelled it [TOPO-07]', async () => {
    const fixture = new Fixture(configAt(3, 'expelled'));
    await fixture.lifecycle.start();
    const reason = 'this instance was expelled from the cluster';
    assert.deepEqual(fixture.look(), ['InitError', reason, 'expelled by 3']);
  });

  it('stays reachable when its storage cannot be opened, and runs no role', async () => {
    const fixture = new Fixture(configAt(3, 'joined'));
    fixture.openFault = 'log 1 is damaged';
    await fixture.lifecycle.start();
    assert.deepEqual(fixture.look(), ['BootError', 'log 1 is damaged', 'join, open']);
  });
});

describe('InstanceLifecycle, running', () => {
  async function running(): Promise<Fixture> {
    const fixture = new Fixture(configAt(1, 'joined'));
    await fixture.lifecycle.start();
    fixture.look();
    return fixture;
  }

  it('configures the replica set, then the roles, at every change', async () => {
    const fixture = await running();
    await fixture.commit(configAt(2, 'joined'));
    assert.deepEqual(fixture.look(), ['RolesConfigured', null, 'configure 2, apply 2']);
  });

  it('applies only the newest of changes that came together', async () => {
    const fixture = await running();
    const [second, third] = [configAt(2, 'joined'), configAt(3, 'joined')];
    fixture.active = third;
    await Promise.all([fixture.lifecycle.committed(second), fixture.lifecycle.committed(third)]);
    assert.deepEqual(fixture.look(), ['RolesConfigured', null, 'configure 3, apply 3']);
  });

  it('goes away when a change expels it, and applies nothing of that', async () => {
    const fixture = await running();
    await fixture.commit(configAt(2, 'expelled'));
    assert.deepEqual(fixture.look(), ['RolesConfigured', null, 'expelled by 2']);
  });

  it('tells its roles when it has become the leader, once [ROLE-15]', async () => {
    const fixture = await running();
    fixture.isWritable = true;
    fixture.lifecycle.leadershipChanged();
    fixture.lifecycle.leadershipChanged();
    await fixture.clock.advance(1);
    assert.deepEqual(fixture.look(), ['RolesConfigured', null, 'apply 1 as leader']);
  });

  it('applies again while a role fails, and is well when it does not', async () => {
    const fixture = await running();
    fixture.roleFault = 'apply';
    await fixture.commit(configAt(2, 'joined'));
    const error = 'Role "app" failed: not now';
    assert.deepEqual(fixture.look(), ['OperationError', error, 'configure 2, apply 2']);
    await fixture.clock.advance(500);
    assert.deepEqual(fixture.look(), ['OperationError', error, 'apply 2']);
    fixture.roleFault = undefined;
    await fixture.clock.advance(500);
    assert.deepEqual(fixture.look(), ['RolesConfigured', null, 'apply 2']);
    await fixture.clock.advance(10_000);
    assert.deepEqual(fixture.look(), ['RolesConfigured', null, '']);
    assert.deepEqual(fixture.failed, []);
  });

  it('keeps running when the routes of its roles cannot be served, and tries again', async () => {
    const fixture = await running();
    fixture.routeFault = "Method 'GET' already declared for route '/a'";
    await fixture.commit(configAt(2, 'joined'));
    const error = fixture.routeFault;
    assert.deepEqual(fixture.look(), ['OperationError', error, 'configure 2, apply 2']);
    fixture.routeFault = undefined;
    await fixture.clock.advance(500);
    assert.deepEqual(fixture.look(), ['RolesConfigured', null, 'apply 2']);
    assert.deepEqual(fixture.failed, []);
  });

  it('applies nothing any more once it stops', async () => {
    const fixture = await running();
    await fixture.lifecycle.stop();
    await fixture.commit(configAt(2, 'joined'));
    assert.deepEqual(fixture.look(), ['RolesConfigured', null, '']);
  });
});

describe('InstanceLifecycle, taking part in changes', () => {
  it('does so blank and with its roles running, not before and not when it cannot start [STATE-29]', async () => {
    const fixture = new Fixture();
    const said = [fixture.lifecycle.mayPrepare()?.message];
    await fixture.lifecycle.start();
    said.push(fixture.lifecycle.mayPrepare()?.message);
    await fixture.commit(configAt(1, 'joined'));
    said.push(fixture.lifecycle.mayPrepare()?.message);
    const broken = new Fixture();
    broken.lifecycle.fail('instance.json is damaged');
    said.push(broken.lifecycle.mayPrepare()?.message);
    const when = 'It takes part in changes when its roles run.';
    assert.deepEqual(said, [
      `The instance is in state starting. ${when}`,
      undefined,
      undefined,
      `The instance is in state InitError: instance.json is damaged. ${when}`,
    ]);
  });
});
