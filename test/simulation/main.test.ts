/** The commands of docs/simulation.md, each with few seeds. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { scenarios } from './scenarios.ts';

async function simulate(...args: readonly string[]): Promise<readonly string[]> {
  const main = fileURLToPath(new URL('main.ts', import.meta.url));
  const child = spawn(process.execPath, ['--conditions=source', main, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [printed] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  assert.equal(child.exitCode, 0, printed);
  return printed.trimEnd().split('\n');
}

describe('npm run simulate', { concurrency: 4 }, () => {
  it('replays a seed, and prints what happened', async () => {
    const lines = await simulate('--scenario=config', '--seed=17');
    assert.ok(lines.length > 5, lines.join('\n'));
    assert.equal(lines.at(-1), 'config seed 17: 0 violations');
  });

  it('plays many seeds', async () => {
    const lines = await simulate('--scenario=config', '--from=5000', '--runs=3', '--jobs=2');
    assert.match(lines[0] ?? '', /^config: 3 seeds, 0 failed; /);
    assert.equal(lines.at(-1), '3 seeds, 0 failed');
  });

  it('plays all scenarios for a time', async () => {
    const lines = await simulate('--hours=0.0002', '--jobs=2');
    assert.deepEqual(
      lines.slice(0, -1).map((line) => line.split(':')[0]),
      scenarios.map(({ name }) => name),
    );
    assert.match(lines.at(-1) ?? '', /^\d+ seeds, 0 failed$/);
  });

  it('has nothing to shrink where nothing fails', async () => {
    const lines = await simulate('--scenario=cluster', '--seed=17', '--shrink');
    assert.deepEqual(lines, [
      'cluster seed 17: nothing to shrink, it does not fail or has no script',
    ]);
  });
});
