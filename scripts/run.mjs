/**
 * Runs a TypeScript entry point of this repository: `node scripts/run.mjs FILE [arguments]`.
 *
 * Works with any Node from 20 on and with nothing installed: it installs the locked packages when they are
 * missing or stale, then hands over to the project's own Node 24, which strips the types by itself.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const root = path.resolve(
  import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname),
  '..',
);
const flags = [
  '--conditions=source',
  '--no-warnings=ExperimentalWarning',
  // Loading modules makes garbage: with a larger nursery a start spends a tenth less on collecting it.
  '--min-semi-space-size=8',
];
const [entry, ...rest] = process.argv.slice(2);
if (entry === undefined) {
  process.stderr.write('usage: node scripts/run.mjs FILE [arguments]\n');
  process.exit(2);
}

/** The packages on disk belong to this lock file and this platform, or they are installed again. */
function installWhenStale() {
  const stamp = path.join(root, 'node_modules', '.tonearm-installed');
  const lock = createHash('sha256').update(readFileSync(path.join(root, 'package-lock.json')));
  const wanted = lock.update(`${process.platform}-${process.arch}`).digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted && existsSync(projectNode()))
    return;
  process.stderr.write('Installing packages (once, about a minute) …\n');
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  // Not `npm ci`: it refuses a lock file that lacks the optional packages of other platforms.
  const outcome = spawnSync(
    npm,
    ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error'],
    {
      cwd: root,
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  );
  if (outcome.status !== 0) {
    process.stderr.write(
      'npm install failed; its message is above. Is a package registry reachable?\n',
    );
    process.exit(1);
  }
  // A start that finds nothing compiled is slower, and right: how this ends does not matter.
  spawnSync(projectNode(), [...flags, path.join(root, 'scripts', 'compile-ahead.mjs')], {
    stdio: 'ignore',
  });
  mkdirSync(path.dirname(stamp), { recursive: true });
  writeFileSync(stamp, wanted);
}

function projectNode() {
  const name = process.platform === 'win32' ? 'node.exe' : 'node';
  return path.join(root, 'node_modules', 'node', 'bin', name);
}

installWhenStale();

const bin = path.join(root, 'node_modules', '.bin');
const child = spawn(projectNode(), [...flags, path.resolve(root, entry), ...rest], {
  stdio: 'inherit',
  env: {
    ...process.env,
    PATH: `${path.dirname(projectNode())}${path.delimiter}${bin}${path.delimiter}${process.env.PATH ?? ''}`,
    UV_THREADPOOL_SIZE: process.env.UV_THREADPOOL_SIZE ?? '16',
  },
});

// A terminal sends Ctrl-C to the whole group: the child decides when to end, this process only waits.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
  });
}
child.on('exit', (code, signal) => {
  if (signal !== null) process.kill(process.pid, signal);
  else process.exitCode = code ?? 1;
  if (signal !== null) process.exitCode = 1;
});
