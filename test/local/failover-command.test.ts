/** `tonearm failover` as a person runs it, against real instances and a stateboard. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { failoverOverviewSchema, type LedReplicaSet } from '@tonearm/runtime/contract';
import { LocalCluster } from '../support/local-cluster.ts';
import { COOKIE } from '../support/local-instance.ts';
import { startStateboard } from '../support/stateboard.ts';
import { waitUntil } from '../support/wait-until.ts';

const main = path.resolve(import.meta.dirname, '../../cli/src/main.ts');

interface Answer {
  readonly exitCode: number;
  readonly output: string;
  readonly problems: string;
}

describe('tonearm failover', () => {
  const running = new AsyncDisposableStack();
  let cluster: LocalCluster;

  before(async () => {
    const stateboard = running.adopt(await startStateboard(), (started) => started.stop());
    const starting = LocalCluster.start({ provider: stateboard.provider('/test'), storages: [2] });
    cluster = running.adopt(await starting, (started) => started.stop());
    await cluster.settled(0);
  });
  after(() => running.disposeAsync());

  /** The command without a terminal, told of the router. */
  function tonearm(args: readonly string[], cookie = COOKIE): Promise<Answer> {
    const url = `http://127.0.0.1:${cluster.router.httpPort}/`;
    const command = ['--conditions=source', main, 'failover', ...args, '--url', url];
    const env = { PATH: process.env['PATH'], TONEARM_CLUSTER_COOKIE: cookie };
    return new Promise((resolve) => {
      const child = execFile(process.execPath, command, { env }, (error, output, problems) => {
        resolve({ exitCode: Number(error?.code ?? 0), output, problems });
      });
      child.stdin?.end();
    });
  }

  async function storage(): Promise<LedReplicaSet> {
    const { output } = await tonearm(['status', '--output', 'json']);
    const { replicaSets } = failoverOverviewSchema.parse(JSON.parse(output));
    return replicaSets[1] ?? assert.fail('there is no second replica set');
  }

  it('shows who leads, and takes the cookie from a file as well', async () => {
    const cookieFile = path.join(cluster.folder, 'cookie');
    writeFileSync(cookieFile, `${COOKIE}\n`);
    const { exitCode, output, problems } = await tonearm(
      ['status', '--cookie-file', cookieFile],
      '',
    );
    assert.equal(exitCode, 0, problems);
    assert.match(output, /^Mode +stateful, by stateboard\nCoordinator +router-0\n/);
    assert.match(output, /^set-1 +storage-1-0 +\d+ +writable +2\/2$/m);
  });

  it('lets the instance lead that is named, and says how long nobody wrote', async () => {
    const promoted = await tonearm(['promote', 'storage-1-1', '--replica-set', 'set-1']);
    assert.equal(promoted.exitCode, 0, promoted.problems);
    assert.match(promoted.output, /^REPLICA SET .*\nset-1 +storage-1-1 +\d+ +\d+ ms\n$/);
    assert.deepEqual((await storage()).leader?.name, 'storage-1-1');
  });

  it('pauses, which shows, and appoints only whom somebody asks for', async () => {
    const paused = await tonearm(['pause']);
    assert.match(paused.output, /^Failover is paused on 3 instances\. /);
    const { output } = await tonearm(['status']);
    assert.match(output, /^Paused +on all 3 instances: "tonearm failover resume" ends that$/m);
    await cluster.storages[0]?.[1]?.crash();
    const isSilent = async (): Promise<boolean> => (await storage()).state === 'silent';
    await waitUntil('the leader is missed', isSilent);
    const promoted = await tonearm(['promote', 'storage-1-0', '-o', 'json']);
    assert.equal(promoted.exitCode, 0, promoted.problems);
    const { state, leader } = await storage();
    assert.deepEqual([state, leader?.name], ['writable', 'storage-1-0']);
  });

  it('resumes on those that answer, and fails because of the others', async () => {
    const { exitCode, problems } = await tonearm(['resume']);
    assert.equal(exitCode, 1);
    assert.match(problems, /^tonearm: Failover is resumed on 2 .* storage-1-1 .*\(PARTLY_DONE\)$/m);
    const { output } = await tonearm(['status']);
    assert.match(output, /^ {2}set-1: storage-1-1 does not answer$/m);
    assert.doesNotMatch(output, /^Paused/m);
  });

  it('says what helps when it is refused, and asks before anything is forced', async () => {
    const stranger = await tonearm(['status'], 'another');
    assert.equal(stranger.exitCode, 1);
    assert.match(stranger.problems, /\(UNAUTHORIZED\)\nGive the cookie of this cluster/);
    const unknown = await tonearm(['promote', 'nobody']);
    assert.deepEqual(
      [unknown.exitCode, unknown.problems],
      [
        2,
        'tonearm: there is no instance "nobody" in this cluster: router-0, storage-1-0, storage-1-1\n',
      ],
    );
    const forced = ['promote', 'storage-1-1', '--force', '--stopped', 'storage-1-0'];
    const unasked = await tonearm(forced);
    assert.equal(unasked.exitCode, 2);
    assert.match(unasked.problems, /If storage-1-0 still runs, there are two leaders\.\nSay --yes/);
    const refused = await tonearm([...forced, '--yes']);
    assert.equal(refused.exitCode, 1);
    assert.match(refused.problems, /\(NOT_IN_SYNC\)\nSee "tonearm failover status"/);
  });
});
