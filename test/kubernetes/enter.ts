/**
 * `node scripts/run.mjs test/kubernetes/enter.ts [--nodes=N] [--only=TEXT] [-- COMMAND …]`
 *
 * Runs the Kubernetes tier, or the command, beside a real cluster: one that `KUBECONFIG` and
 * `TONEARM_TEST_IMAGE_REGISTRY` name, or one made here, with everything of it and the tests too in one
 * outer network, mount and pid namespace. When this process ends, in whatever way, the cluster is removed.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { binariesFolder, ensureBinaries } from './box/binaries.ts';
import { cacheFolder, type Layout, record, recorded, runFolder } from './box/layout.ts';
import { missingNeeds } from './box/needs.ts';
import { endProcess, identify, type ProcessIdentity, run, waitUntil } from './box/processes.ts';
import { claimRun } from './box/sweep-run.ts';
import { buildImages } from './images/build-images.ts';

const root = path.resolve(import.meta.dirname, '..', '..');
const node = [process.execPath, '--conditions=source'];
const startedAt = Date.now();

/** Ends with its only task, and not before: a signal to the whole group is for the task to obey. */
const firstProcess = `trap : INT TERM HUP
"$@" <&0 &
while kill -0 $! 2>/dev/null; do wait $!; code=$?; done
exit $code`;

const { values, positionals } = parseArgs({
  options: { nodes: { type: 'string', default: '1' }, only: { type: 'string' } },
  allowPositionals: true,
});
const command = positionals.length > 0 ? positionals : tierCommand();

if (process.env['KUBECONFIG'] !== undefined && process.env['TONEARM_TEST_IMAGE_REGISTRY']) {
  process.exitCode = await exitOf(spawnInherited(command));
} else {
  mkdirSync(cacheFolder, { recursive: true });
  const binaries = binariesFolder(cacheFolder);
  const missing = await missingNeeds(binaries, report);
  if (missing === undefined) await runInBox(binaries);
  else skip(missing);
}

function tierCommand(): readonly string[] {
  const only = values.only === undefined ? [] : [`--only=${values.only}`];
  return [...node, path.join(root, 'test', 'run.ts'), '--tier=kubernetes', ...only];
}

/** Absence is a failure where absence would go unnoticed. */
function skip(missing: string): void {
  process.stdout.write(`skipped: the Kubernetes tier cannot run here: ${missing}\n`);
  if (process.env['CI'] === 'true') process.exitCode = 1;
}

async function runInBox(binaries: string): Promise<void> {
  await ensureBinaries(binaries, report);
  await compile();
  await claimRun(report);
  const layout: Layout = {
    binaries,
    images: path.join(cacheFolder, 'images'),
    run: runFolder,
    logs: path.join(cacheFolder, 'logs'),
  };
  rmSync(layout.logs, { recursive: true, force: true });
  mkdirSync(layout.logs);
  const sweeper = startSweeper(layout);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      report(`${signal}: removing the cluster …`);
      void endOuter(layout);
    });
  }
  try {
    const { images, absent } = await buildImages(layout.images, binaries);
    for (const reason of absent) report(`no image ${reason}`);
    writeFileSync(path.join(layout.run, 'images.json'), JSON.stringify(images));
    report('images ready');
    process.exitCode = await exitOf(await spawnInNamespaces(layout));
  } finally {
    sweeper.stdin?.end();
    const failed = (await exitOf(sweeper)) !== 0;
    report(failed ? `cleaning up failed: ${layout.logs}/sweep.log` : 'everything removed');
    if (failed) process.exitCode = 1;
  }
}

/** Images hold compiled code. Type errors are for `npm run check` to judge: the compiler emits anyway. */
async function compile(): Promise<void> {
  try {
    await run('tsc', ['-b', 'operator', 'examples/employees'], { cwd: root, deadlineMs: 300_000 });
    report('compiled');
  } catch (error) {
    const lines = (error as Error).message.split('\n').length;
    report(`compiled with type errors (${lines} lines; \`npm run build\` shows them)`);
  }
}

/** Its standard input ends with this process, even when that is killed; then it removes the run. */
function startSweeper(layout: Layout): ChildProcess {
  const log = openSync(path.join(layout.logs, 'sweep.log'), 'a');
  const script = path.join(import.meta.dirname, 'sweep.ts');
  const sweeper = spawn('sh', ['-c', 'cat; exec "$@"', 'sh', ...node, script], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', log, log],
  });
  if (sweeper.pid !== undefined) record(layout, 'sweeper', identify(sweeper.pid));
  return sweeper;
}

/**
 * setpriv ties the namespaces to this process, unshare ties its first process to itself: neither survives
 * a SIGKILL of its parent. The first process is a shell, because that reaps orphans.
 */
async function spawnInNamespaces(layout: Layout): Promise<ChildProcess> {
  const inside = path.join(import.meta.dirname, 'inside.ts');
  const child = spawn(
    'setpriv',
    [
      ...['--pdeathsig', 'KILL', 'unshare', '--net', '--mount', '--pid', '--fork'],
      ...['--kill-child=SIGKILL', '--mount-proc', '--propagation', 'private'],
      ...['bash', '-c', firstProcess, 'bash'],
      ...[...node, inside, values.nodes, String(startedAt), ...command],
    ],
    {
      cwd: root,
      stdio: 'inherit',
      env: { ...withoutProxies(), TONEARM_KUBERNETES_BOX: JSON.stringify(layout) },
    },
  );
  const { pid } = child;
  if (pid === undefined) throw new Error('setpriv could not be started');
  record(layout, 'outer', identify(pid));
  const children = (): string => readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  await waitUntil('the outer namespaces', () => children() !== '', 10_000);
  record(layout, 'first', identify(Number(children())));
  return child;
}

/** The first process goes with it, and the cluster with that. */
async function endOuter(layout: Layout): Promise<void> {
  const outer = recorded(layout, 'outer') as ProcessIdentity | undefined;
  if (outer !== undefined) await endProcess(outer, 'SIGKILL');
}

/** Nothing outside can be reached from the namespaces, by a proxy as little as otherwise. */
function withoutProxies(): NodeJS.ProcessEnv {
  const proxy = /^(https?|no|all)_proxy$/i;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !proxy.test(name)));
}

function spawnInherited([program = '', ...args]: readonly string[]): ChildProcess {
  return spawn(program, args, { cwd: root, stdio: 'inherit' });
}

async function exitOf(child: ChildProcess): Promise<number> {
  if (child.exitCode !== null) return child.exitCode;
  return new Promise((resolve) => {
    child.on('exit', (code) => {
      resolve(code ?? 1);
    });
    child.on('error', () => {
      resolve(1);
    });
  });
}

function report(line: string): void {
  const seconds = ((Date.now() - startedAt) / 1000).toFixed(1);
  process.stdout.write(`kubernetes ${seconds.padStart(6)} s  ${line}\n`);
}
