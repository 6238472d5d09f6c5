/** Coverage of what decides: `npm run coverage`. Below 95 % of lines or 90 % of branches of `core/` it fails. */
import { spawnSync } from 'node:child_process';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '..');

const outcome = spawnSync(
  'c8',
  [
    '--all',
    '--src=runtime/src/core',
    '--src=operator/src/core',
    '--include=runtime/src/core/**/*.ts',
    '--include=operator/src/core/**/*.ts',
    '--exclude=**/*.test.ts',
    '--check-coverage',
    '--lines=95',
    '--branches=90',
    '--functions=0',
    '--statements=0',
    '--reporter=text',
    '--reports-dir=coverage',
    process.execPath,
    '--conditions=source',
    'test/run.ts',
    ...process.argv.slice(2),
  ],
  { cwd: root, stdio: 'inherit' },
);
process.exitCode = outcome.status ?? 1;
