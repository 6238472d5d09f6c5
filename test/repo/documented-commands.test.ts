/**
 * Every command of the first pages is one that some test runs. This file says which: a command that is new there fails
 * here until a test runs it, and so does a test that no longer does.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';

const root = path.resolve(import.meta.dirname, '../..');
const pages = [
  ...['README.md', 'docs/operations.md', 'docs/storage.md', 'docs/binary-port.md'],
  'docs/simulation.md',
];

interface TestedCommand {
  /** As it stands in the page; `…` stands for what differs from time to time. */
  readonly command: string;
  readonly test: string;
  /** What the test uses to run it; left out: the test itself. */
  readonly by?: string;
  /** What must be found there. */
  readonly words: readonly string[];
}

const LAPTOP = 'test/local/up-employees.test.ts';
const BOOTSTRAP = 'test/kubernetes/employees-bootstrap.test.ts';
const SCALE = 'test/kubernetes/employees-scale.test.ts';
const EMPLOYEES = 'test/kubernetes/fixtures/employees.ts';
const LOG = 'cli/src/commands/log.test.ts';
const SNAPSHOT = 'test/local/snapshot.test.ts';
const FAILOVER = 'test/local/failover-command.test.ts';
const UP = 'test/support/tonearm-up.ts';
const SIMULATE = 'test/simulation/main.test.ts';

const tested: readonly TestedCommand[] = [
  { command: 'npm start', test: LAPTOP, by: UP, words: ["'cli/src/main.ts'", "'up'"] },
  {
    command: 'curl -d … http://127.0.0.1:8081/employee',
    test: LAPTOP,
    words: ['/employee`', "'POST'", "'application/json'", "employee_id: 'jane'"],
  },
  {
    command: 'export KUBECONFIG=.tonearm/kubeconfig',
    test: LAPTOP,
    by: UP,
    words: ['KUBECONFIG: path.join(', "'kubeconfig'"],
  },
  { command: 'kubectl get tcl,trs,pods', test: LAPTOP, words: ["'get', 'tcl,trs,pods'"] },
  {
    command: 'kubectl scale trs/employees-storage-1 --replicas=3',
    test: LAPTOP,
    words: ["'scale', 'trs/employees-storage-1', `--replicas=", 'scaled(3)'],
  },
  {
    command: "curl 'http://127.0.0.1:8081/employees?salary=15000'",
    test: 'test/local/instances.test.ts',
    words: ["'GET', '/employees?salary=15000'"],
  },
  {
    command: 'helm install tonearm charts/tonearm-operator',
    test: BOOTSTRAP,
    by: 'test/kubernetes/fixtures/operator.ts',
    words: ["'--install', release", "'charts', 'tonearm-operator'", "release = 'tonearm'"],
  },
  {
    command: 'kubectl apply -f examples/employees/cluster.yaml',
    test: LAPTOP,
    words: ["'apply', '-f', manifest", 'examples/employees/cluster.yaml'],
  },
  { command: 'kubectl get tcl,trs', test: BOOTSTRAP, words: ["'get', 'tcl'", "'get', 'trs'"] },
  {
    command: 'kubectl describe tcl employees',
    test: LAPTOP,
    words: ["'describe', 'tcl', 'employees'"],
  },
  { command: 'tonearm failover status', test: FAILOVER, words: ["tonearm(['status'])"] },
  {
    command: 'tonearm failover promote storage-1-1',
    test: FAILOVER,
    words: ["tonearm(['promote', 'storage-1-1', "],
  },
  { command: 'tonearm failover pause', test: FAILOVER, words: ["tonearm(['pause'])"] },
  { command: 'tonearm failover resume', test: FAILOVER, words: ["tonearm(['resume'])"] },
  {
    command: 'curl -u "admin:$COOKIE" … http://…:8081/admin/promote',
    test: SCALE,
    by: EMPLOYEES,
    words: ['/admin/promote', 'admin:', 'replicaSetUuid'],
  },
  {
    command: 'kubectl exec employees-etcd-0 -- etcdctl get --prefix --keys-only /tonearm/',
    test: 'test/kubernetes/employees-failover.test.ts',
    by: EMPLOYEES,
    words: ["'employees-etcd-0'", "'get', '--prefix'", '/tonearm/'],
  },
  {
    command: `kubectl patch trs employees-storage-1 --type=merge -p '{"metadata":{"finalizers":null}}'`,
    test: 'test/local/without-operator.test.ts',
    words: [
      "run('patch', 'trs', 'employees-storage-1', '--type=merge', '-p', ",
      `'{"metadata":{"finalizers":null}}'`,
    ],
  },
  {
    command:
      "COOKIE=$(kubectl get secret employees-cookie -o jsonpath='{.data.cookie}' | base64 -d)",
    test: SCALE,
    by: EMPLOYEES,
    words: ["'get', 'secret', 'employees-cookie', '-o', 'jsonpath={.data.cookie}'"],
  },
  {
    command: 'curl -u "admin:$COOKIE" http://127.0.0.1:8081/admin/status',
    test: LAPTOP,
    words: ['/admin/status', 'admin:'],
  },
  { command: 'tonearm log verify DIRECTORY', test: LOG, words: ["'log', 'verify', root"] },
  {
    command: 'tonearm log dump DIRECTORY --from 1 --to 100',
    test: LOG,
    words: ["'log', 'dump', root, '--from', '2', '--to', '3'"],
  },
  { command: 'tonearm log reseed DIRECTORY', test: LOG, words: ["'log', 'reseed', root"] },
  {
    command: 'curl -u "admin:$COOKIE" -X POST http://127.0.0.1:8081/admin/snapshot',
    test: SNAPSHOT,
    words: ["'POST', '/admin/snapshot'"],
  },
  {
    command: 'curl -u "admin:$COOKIE" -X POST http://127.0.0.1:8081/admin/reseed',
    test: SNAPSHOT,
    words: ["'POST', '/admin/reseed'"],
  },
  {
    command: 'npm run simulate -- --scenario=config --seed=17',
    test: SIMULATE,
    words: ["'--scenario=config', '--seed=17'"],
  },
  {
    command: 'npm run simulate -- --scenario=config --runs=1000',
    test: SIMULATE,
    words: ["'--scenario=config'", "'--runs="],
  },
  {
    command: 'npm run simulate -- --scenario=cluster --from=5000 --runs=1000',
    test: SIMULATE,
    words: ["'--from=5000', '--runs="],
  },
  {
    command: 'npm run simulate -- --scenario=cluster --runs=10000 --jobs=2',
    test: SIMULATE,
    words: ["'--runs=3', '--jobs=2'"],
  },
  {
    command: 'npm run simulate -- --hours=8 --jobs=2',
    test: SIMULATE,
    words: ["'--hours=0.0002', '--jobs=2'"],
  },
  {
    command: 'npm run simulate -- --scenario=cluster --seed=17 --shrink',
    test: SIMULATE,
    words: ["'--scenario=cluster', '--seed=17', '--shrink'"],
  },
];

function read(file: string): string {
  return readFileSync(path.join(root, file), 'utf8');
}

/** Lines of the `sh` blocks, without comments. */
function commandsOf(page: string): readonly string[] {
  const blocks = [...read(page).matchAll(/^```sh\n([\s\S]*?)^```/gm)].map(
    (match) => match[1] ?? '',
  );
  return blocks
    .flatMap((block) => block.split('\n'))
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}

function isCommand({ command }: TestedCommand, line: string): boolean {
  const parts = command.split('…').map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`).test(line);
}

/** The files that a file imports, and those that these import. */
function importsOf(file: string, seen = new Set<string>()): ReadonlySet<string> {
  for (const [, target = ''] of read(file).matchAll(/from '(\.[^']+)'/g)) {
    const imported = path.join(path.dirname(file), target);
    if (seen.has(imported) || !existsSync(path.join(root, imported))) continue;
    seen.add(imported);
    importsOf(imported, seen);
  }
  return seen;
}

describe('the commands of the first pages', () => {
  const lines = pages.flatMap(commandsOf);

  it('are all run by a test', () => {
    const untested = lines.filter((line) => !tested.some((one) => isCommand(one, line)));
    assert.deepEqual(untested, []);
  });

  it('are all still there', () => {
    const gone = tested.filter((one) => !lines.some((line) => isCommand(one, line)));
    assert.deepEqual(gone, []);
  });

  for (const { command, test, by, words } of tested) {
    it(`${command} is run by ${test}`, () => {
      assert.ok(by === undefined || importsOf(test).has(by), `${test} does not use ${by ?? ''}`);
      const text = read(by ?? test);
      assert.deepEqual(
        words.filter((word) => !text.includes(word)),
        [],
      );
    });
  }

  it('begin with "npm start", which is what the test of it starts', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    assert.equal(scripts['start'], 'node scripts/run.mjs cli/src/main.ts up');
  });
});
