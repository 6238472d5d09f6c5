import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';

interface Answer {
  readonly exitCode: unknown;
  readonly output: string;
}

const MAIN = path.join(import.meta.dirname, '../main.ts');

const UP = 'a small Kubernetes runs';

/** Refused by the API at last: a start that gets so far ends by itself. */
const REFUSED = `
apiVersion: v1
kind: Secret
metadata: { name: 'No Name' }
`;

/** Without replica sets, so that there is nothing to run. */
function cluster(tag: string): string {
  return `
apiVersion: tonearm.dev/v1alpha1
kind: Cluster
metadata: { name: shop }
spec: { image: 'localhost/shop:${tag}', replicaSets: [] }
`;
}

class Folder {
  readonly path: string;

  constructor(test: TestContext) {
    this.path = mkdtempSync(path.join(tmpdir(), 'tonearm-up-'));
    test.after(() => rmSync(this.path, { recursive: true }));
  }

  write(name: string, text: string): void {
    const file = path.join(this.path, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, text);
  }

  /** Starts, applies, and stops; what was said at the start. */
  async upOnce(...args: readonly string[]): Promise<readonly string[]> {
    const child = spawn(process.execPath, ['--conditions=source', MAIN, 'up', ...args], {
      cwd: this.path,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      const isUp = output.includes(UP);
      output += chunk;
      if (!isUp && output.includes(UP)) child.kill('SIGINT');
    });
    await once(child, 'close');
    assert.equal(child.exitCode, 0, output);
    return output.split('\n').filter((line) => line.includes('cluster.yaml'));
  }

  /** On a machine where nothing is installed. */
  async run(...args: readonly string[]): Promise<Answer> {
    const environment = { ...process.env, PATH: '' };
    const flags = ['--conditions=source', MAIN, ...args];
    return new Promise((resolve) => {
      execFile(
        process.execPath,
        flags,
        { cwd: this.path, env: environment },
        (error, stdout, stderr) => resolve({ exitCode: error?.code ?? 0, output: stdout + stderr }),
      );
    });
  }
}

describe('tonearm up --etcd, where no etcd is installed', () => {
  it('says so, and leaves the choice open', async (test) => {
    const folder = new Folder(test);
    folder.write('refused.yaml', REFUSED);
    const first = await folder.run('up', '--etcd', '-f', 'refused.yaml');
    assert.deepEqual(first, {
      exitCode: 1,
      output: 'tonearm: there is no etcd on the PATH: install one, or use --stateboard\n',
    });
    const second = await folder.run('up', '--stateboard', '-f', 'refused.yaml');
    assert.match(second.output, /refused.yaml was refused: /);
  });

  it('does not lead a state that began with etcd to another provider', async (test) => {
    const folder = new Folder(test);
    folder.write('refused.yaml', REFUSED);
    folder.write('.tonearm/memory.json', '{"formatVersion":1,"stateProvider":"etcd","images":{}}');
    assert.deepEqual(await folder.run('up', '-f', 'refused.yaml'), {
      exitCode: 1,
      output:
        'tonearm: there is no etcd on the PATH, and the clusters of this state remember their leaders there: install it again, or start anew after "tonearm down --purge"\n',
    });
  });
});

describe('the cluster.yaml of the folder', () => {
  it('is applied once, and when it differs later, how it is applied is said', async (test) => {
    const folder = new Folder(test);
    folder.write('main.ts', '');
    folder.write('cluster.yaml', cluster('first'));
    assert.deepEqual(await folder.upOnce(), []);
    assert.deepEqual(await folder.upOnce(), []);
    folder.write('cluster.yaml', cluster('second'));
    assert.deepEqual(await folder.upOnce(), [
      '  cluster.yaml differs from Cluster shop, which is kept as it is: apply it with "tonearm up -f cluster.yaml"',
    ]);
    assert.deepEqual(await folder.upOnce('-f', 'cluster.yaml'), []);
    assert.deepEqual(await folder.upOnce(), []);
  });
});
