/**
 * Runs one tier of tests in one process: `node scripts/run.mjs test/run.ts [--tier=NAME] [--only=TEXT]`.
 *
 * `fast` (the default) needs Node alone: every `*.test.ts` beside the code, and in test/{bench,contract,linearizability,
 * simulation,soak,repo,local}. `integration`, `kubernetes` and `containers` are folders.
 */
import { globSync } from 'node:fs';
import path from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { parseArgs } from 'node:util';

const root = path.resolve(import.meta.dirname, '..');
const { values } = parseArgs({
  options: { tier: { type: 'string', default: 'fast' }, only: { type: 'string' } },
  allowPositionals: true,
});

const tiers: Record<string, readonly string[]> = {
  fast: [
    '{runtime,operator,cli}/src/**/*.test.ts',
    'examples/*/**/*.test.ts',
    'test/{bench,contract,linearizability,scenarios,simulation,soak,repo,local}/**/*.test.ts',
  ],
  integration: ['test/integration/**/*.test.ts'],
  kubernetes: ['test/kubernetes/**/*.test.ts'],
  containers: ['test/containers/**/*.test.ts'],
};
const patterns = tiers[values.tier];
if (patterns === undefined) {
  process.stderr.write(`--tier is one of ${Object.keys(tiers).join(', ')}, not "${values.tier}"\n`);
  process.exit(2);
}
const only = values.only;
const files = globSync([...patterns], { cwd: root })
  .filter((file) => !/(^|\/)(node_modules|dist)\//.test(file))
  .filter((file) => only === undefined || file.includes(only))
  .sort()
  .map((file) => path.join(root, file));
if (files.length === 0) {
  process.stderr.write(`no test file matches ${only ?? patterns.join(' ')}\n`);
  process.exit(1);
}

const stream = run({
  files,
  isolation: 'none',
  concurrency: 1,
  execArgv: ['--conditions=source'],
  timeout: 20 * 60_000,
});
stream.on('test:fail', () => {
  process.exitCode = 1;
});
stream.compose(spec).pipe(process.stdout);
