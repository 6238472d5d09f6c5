/**
 * Compiles what the first start would compile otherwise, in each of its processes: part of the installation.
 *
 * The command's own modules are loaded, which does nothing; the programs that it starts are run so that they end at
 * once. Flags are part of the key under which compiled code is kept, so this must run with those of a start: `run.mjs`
 * sees to that. Nothing depends on it: a start that finds nothing compiled is slower, and right.
 */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const root = path.resolve(import.meta.dirname, '..');
const inRoot = (file) => path.join(root, file);
const load = (file) => import(pathToFileURL(inRoot(file)).href);

const { shareCompileCache } = await load('cli/src/compile-cache.ts');
shareCompileCache(process.env);
await load('cli/src/commands/up.ts');

const application = inRoot('examples/employees/main.ts');
for (const command of [
  ['cli/src/main.ts', '--help'],
  // No port has this number: the application is loaded, and refuses to run.
  ['runtime/src/launcher/main.ts', application, '--http-port=-1'],
  ['runtime/src/stateboard/main.ts'],
  ['cli/src/embedded/node/processes/watchdog.ts'],
]) {
  const [program, ...args] = command;
  spawnSync(process.execPath, [...process.execArgv, inRoot(program), ...args], { stdio: 'ignore' });
}
