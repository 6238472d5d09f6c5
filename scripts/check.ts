/** Everything that can be said of the repository without running it: `npm run check`. Stops at nothing, fails at the end. */
import { spawnSync } from 'node:child_process';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '..');

const steps: readonly (readonly [name: string, command: string, ...args: string[]])[] = [
  ['layout (biome)', 'biome', 'check', '.'],
  ['types (tsc)', 'tsc', '-b'],
  ['types of the tests (tsc)', 'tsc', '-p', 'test'],
  ['types of the scripts (tsc)', 'tsc', '-p', 'scripts'],
  ['judgement (eslint)', 'eslint', '.', '--max-warnings=0'],
  [
    'arrows (dependency-cruiser)',
    'depcruise',
    '--config',
    '.dependency-cruiser.cjs',
    'runtime/src',
    'operator/src',
    'cli/src',
  ],
  ['dead code (knip)', 'knip'],
  [
    'generated files',
    process.execPath,
    '--conditions=source',
    'operator/src/api/generate-crds.ts',
    '--check',
  ],
];

let failed = 0;
for (const [name, command, ...args] of steps) {
  const startedMs = performance.now();
  const outcome = spawnSync(command, args, { cwd: root, encoding: 'utf8' });
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  const isRight = outcome.status === 0;
  process.stdout.write(`${isRight ? '✔' : '✖'} ${name} (${seconds} s)\n`);
  if (!isRight) {
    failed++;
    process.stdout.write(`${outcome.stdout}${outcome.stderr}${outcome.error?.message ?? ''}\n`);
  }
}
process.exitCode = failed === 0 ? 0 : 1;
