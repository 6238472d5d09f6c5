/** `tonearm up`: runs in the foreground until Ctrl-C, a signal, or a part that must not fail does. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { CommandError } from '../command-error.ts';
import { type Console, relative } from '../console.ts';
import { textAt } from '../embedded/api/json.ts';
import { LocalKubernetes } from '../embedded/local-kubernetes.ts';
import { imagesOf, type Manifest, readManifests } from '../embedded/manifests.ts';
import { ApplicationImages } from '../embedded/node/pods/images.ts';
import { StateDirectory, type StateMemory } from '../embedded/state-directory.ts';
import { findEtcd } from '../embedded/state-provider-process.ts';
import { ClusterProgress } from './cluster-progress.ts';
import { exampleCommands, exampleManifest, isExample } from './example.ts';

export interface UpOptions {
  readonly state: string;
  readonly namespace: string;
  readonly file?: readonly string[];
  readonly app?: string;
  readonly stateboard?: boolean;
  readonly etcd?: boolean;
}

/** `prepared` ends when instances may start. */
export async function runUp(
  options: UpOptions,
  console: Console,
  prepared: Promise<void>,
): Promise<void> {
  const files = options.file ?? [defaultManifest()];
  const manifests = files.flatMap((file) => readManifests(file));
  const state = new StateDirectory(options.state);
  state.create();
  const verdict = state.lock();
  if (verdict.kind === 'taken') {
    throw new CommandError(
      `${state.root} is in use by process ${verdict.pid}: stop it with "tonearm down", or choose another folder with --state`,
    );
  }
  try {
    const memory = planMemory(options, manifests, state.recall());
    state.remember(memory);
    await run({ options, state, memory, manifests, console, prepared });
  } finally {
    state.unlock();
  }
}

interface Run {
  readonly options: UpOptions;
  readonly state: StateDirectory;
  readonly memory: StateMemory;
  readonly manifests: readonly Manifest[];
  readonly console: Console;
  readonly prepared: Promise<void>;
}

async function run(parts: Run): Promise<void> {
  const { options, state, memory, manifests, console } = parts;
  const ending = waitForEnd(console);
  let failure: CommandError | undefined;
  const kubernetes = await LocalKubernetes.start({
    state,
    memory,
    namespace: options.namespace,
    prepared: parts.prepared,
    onNotice: (notice) => console.line(`  ${notice}`),
    onFailure: (name, error) => {
      const reason = error instanceof Error ? error.message : String(error);
      failure ??= new CommandError(`${name} failed: ${reason}; see ${state.logs}/tonearm.log`);
      ending.end();
    },
  });
  ending.onImpatience = () => kubernetes.kill();
  const progress = new ClusterProgress({
    kubernetes,
    state,
    console,
    examples: (address) =>
      Object.values(memory.images).some(isExample) ? exampleCommands(address) : [],
  });
  try {
    progress.begin();
    for (const manifest of manifests) {
      const comparison = options.file === undefined ? kubernetes.compare(manifest) : 'absent';
      if (comparison === 'absent') applyManifest(kubernetes, manifest);
      else if (comparison === 'different') console.line(`  ${differs(manifest)}`);
    }
    for (const reason of unknownImages(manifests, memory)) console.line(`  ${reason}`);
    await ending.ended;
  } finally {
    progress.end();
    console.line();
    console.line('Stopping: the data stays. Ctrl-C again stops at once.');
    await kubernetes.stop();
  }
  if (failure !== undefined) throw failure;
  console.line('Stopped.');
}

function applyManifest(kubernetes: LocalKubernetes, manifest: Manifest): void {
  try {
    kubernetes.apply(manifest);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CommandError(`${manifest.file} was refused: ${reason}`);
  }
}

/** What is there may have been changed on purpose since, with kubectl: so it stays until a file is named. */
function differs({ file, kind, name }: Manifest): string {
  const short = relative(file);
  return `${short} differs from ${kind} ${name}, which is kept as it is: apply it with "tonearm up -f ${short}"`;
}

/** Said at once: the pods would only say it to those who look at them. */
function unknownImages(manifests: readonly Manifest[], memory: StateMemory): string[] {
  const images = new ApplicationImages(memory.images);
  return manifests.flatMap(({ kind, object }) => {
    const image = textAt(object, 'spec', 'image');
    if (kind !== 'Cluster' || image === '') return [];
    const verdict = images.resolve(image);
    return verdict.kind === 'unknown' ? [verdict.reason] : [];
  });
}

function planMemory(
  options: UpOptions,
  manifests: readonly Manifest[],
  known: StateMemory | undefined,
): StateMemory {
  return {
    formatVersion: 1,
    stateProvider: chooseProvider(options, known?.stateProvider),
    images: { ...known?.images, ...imagesOf(manifests, options.app) },
  };
}

type Provider = StateMemory['stateProvider'];

/** It stays what it was, because leadership is remembered there: so one that cannot run is not chosen. */
function chooseProvider(options: UpOptions, known: Provider | undefined): Provider {
  const asked =
    options.etcd === true ? 'etcd' : options.stateboard === true ? 'stateboard' : undefined;
  if (asked !== undefined && known !== undefined && known !== asked) {
    throw new CommandError(
      `this state began with the ${known}, and its clusters remember their leaders there: leave --${asked} out, or start anew after "tonearm down --purge"`,
    );
  }
  const chosen = asked ?? known ?? 'stateboard';
  if (chosen !== 'etcd' || findEtcd() !== undefined) return chosen;
  throw new CommandError(
    known === undefined
      ? 'there is no etcd on the PATH: install one, or use --stateboard'
      : 'there is no etcd on the PATH, and the clusters of this state remember their leaders there: install it again, or start anew after "tonearm down --purge"',
  );
}

function defaultManifest(): string {
  const own = path.resolve('cluster.yaml');
  const file = existsSync(own) ? own : exampleManifest();
  if (file !== undefined) return file;
  throw new CommandError(
    'there is no cluster.yaml here: name a manifest with "tonearm up -f FILE"',
  );
}

interface Ending {
  readonly ended: Promise<void>;
  /** Called at the second request to end. */
  onImpatience: () => void;
  end(): void;
}

/** npm passes on what the terminal has sent to all: within this time it is one request. */
const ONE_REQUEST_MS = 500;

function waitForEnd(console: Console): Ending {
  let resolve: () => void = () => undefined;
  const ended = new Promise<void>((end) => {
    resolve = end;
  });
  const ending: Ending = { ended, onImpatience: () => undefined, end: resolve };
  let firstMs: number | undefined;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      firstMs ??= performance.now();
      resolve();
      if (performance.now() - firstMs < ONE_REQUEST_MS) return;
      console.line('Stopping at once.');
      ending.onImpatience();
    });
  }
  return ending;
}
