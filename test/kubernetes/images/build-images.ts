/**
 * Builds the images that tests run, from the repository and this machine, without Docker or a registry.
 *
 * All of them are one base (a static busybox), most with the project's own Node on top, and ours with the
 * production packages and the compiled code on top of that. They run as user 65532.
 */
import {
  copyFileSync,
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { pauseImage } from '../box/node-config.ts';
import { run } from '../box/processes.ts';
import {
  type Blob,
  type Image,
  type ImageConfig,
  ImageStore,
  type LayerSource,
  type PreparedLayer,
  sha256,
} from './image-store.ts';
import { productionFiles } from './production-files.ts';

const repository = path.resolve(import.meta.dirname, '..', '..', '..');
const user = 65532;
const busybox = '/bin/busybox';

/** The images of a registry that the user names have the same last parts: `<registry>/tonearm/…:dev`. */
export function imageNames(registry: string): Readonly<Record<ImageRole, string>> {
  return {
    operator: `${registry}/tonearm/operator:dev`,
    employees: `${registry}/tonearm/employees:dev`,
    etcd: `${registry}/tonearm/etcd:dev`,
    node: `${registry}/tonearm/node:dev`,
    busybox: `${registry}/tonearm/busybox:dev`,
  };
}

export type ImageRole = 'operator' | 'employees' | 'etcd' | 'node' | 'busybox';

interface Application {
  readonly role: 'operator' | 'employees';
  readonly workspace: string;
  /** Both must be compiled, or the image is left out. */
  readonly entry: readonly string[];
}

const applications: readonly Application[] = [
  { role: 'operator', workspace: 'operator', entry: ['operator/dist/main.js'] },
  {
    role: 'employees',
    workspace: 'examples/employees',
    entry: ['runtime/dist/launcher/main.js', 'examples/employees/dist/main.js'],
  },
];

export interface BuiltImages {
  readonly store: ImageStore;
  readonly images: readonly Image[];
  /** Images that could not be built, and why. */
  readonly absent: readonly string[];
}

/** `binaries` is the folder with etcd; `folder` is where the images are kept. */
export async function buildImages(folder: string, binaries: string): Promise<BuiltImages> {
  const store = new ImageStore(folder);
  const names = imageNames('localhost');
  const base = await store.layer(baseLayer());
  const node = await store.layer(await nodeLayer());
  const etcd = await store.layer(etcdLayer(binaries));
  const images = [
    store.image(pauseImage, [base], config({ Entrypoint: ['/bin/busybox', 'sh', '-c', pause] })),
    store.image(names.busybox, [base], config({ Cmd: ['/bin/sh'] })),
    store.image(names.node, [base, node], config({ Cmd: ['/bin/node'] })),
    store.image(names.etcd, [base, etcd], config({ Entrypoint: ['/bin/etcd'] })),
  ];
  const absent: string[] = [];
  for (const application of applications) {
    const missing = uncompiledEntries(application.role);
    if (missing.length > 0) {
      absent.push(`${names[application.role]}: ${missing.join(' and ')} was not compiled`);
      continue;
    }
    const layers = [base, node, ...(await applicationLayers(store, application))];
    images.push(store.image(names[application.role], layers, applicationConfig(application)));
  }
  store.prune(images);
  return { store, images, absent };
}

/** What the containers of Docker need: the employees, Node alone, and an etcd that this machine has installed. */
export async function buildContainerImages(folder: string, etcd: string): Promise<BuiltImages> {
  const store = new ImageStore(folder);
  const names = imageNames('localhost');
  const base = await store.layer(baseLayer());
  const node = await store.layer(await nodeLayer());
  const program = await store.layer(await programLayer('etcd', realpathSync(etcd)));
  const images = [
    store.image(names.node, [base, node], config({ Cmd: ['/bin/node'] })),
    store.image(names.etcd, [base, program], config({ Entrypoint: ['/bin/etcd'] })),
  ];
  const [employees] = applications.filter(({ role }) => role === 'employees');
  const missing = uncompiledEntries('employees');
  if (employees === undefined || missing.length > 0)
    throw new Error(`${missing.join(' and ')} was not compiled`);
  const layers = [base, node, ...(await applicationLayers(store, employees))];
  images.push(store.image(names.employees, layers, applicationConfig(employees)));
  store.prune(images);
  return { store, images, absent: [] };
}

/** The entry files of an application's image which the compiler has not made. */
export function uncompiledEntries(role: Application['role']): readonly string[] {
  const entry = applications.find((application) => application.role === role)?.entry ?? [];
  return entry.filter((file) => !existsSync(path.join(repository, file)));
}

/** Waits for the end of its pod, and reaps what other containers of the pod leave behind. */
const pause = 'trap "exit 0" TERM INT; while :; do sleep 3600 & wait $!; done';

function config(specific: ImageConfig): ImageConfig {
  return { User: `${user}:${user}`, Env: ['PATH=/bin', 'HOME=/tmp'], ...specific };
}

function applicationConfig(application: Application): ImageConfig {
  const files = application.entry.map((file) => `/app/${file}`);
  return config({
    Entrypoint: ['/bin/node', ...files],
    Env: ['PATH=/bin', 'HOME=/tmp', 'NODE_ENV=production'],
    WorkingDir: '/app',
  });
}

function baseLayer(): LayerSource {
  return {
    key: `base ${identityOf(busybox)} ${user} ${JSON.stringify(baseFiles)}`,
    prepare: async (scratch) => {
      const rootFolder = path.join(scratch, 'root');
      for (const folder of ['bin', 'tmp', 'etc', 'var', 'proc', 'sys', 'dev']) {
        mkdirSync(path.join(rootFolder, folder), { recursive: true });
      }
      copyFileSync(busybox, path.join(rootFolder, 'bin', 'busybox'));
      for (const applet of (await run(busybox, ['--list'])).trim().split('\n')) {
        if (applet !== 'busybox') symlinkSync('busybox', path.join(rootFolder, 'bin', applet));
      }
      for (const [file, content] of Object.entries(baseFiles)) {
        writeFileSync(path.join(rootFolder, file), content);
      }
      return allOf(rootFolder);
    },
  };
}

const baseFiles: Readonly<Record<string, string>> = {
  'etc/passwd': `root:x:0:0:root:/:/bin/sh\ntonearm:x:${user}:${user}:tonearm:/tmp:/bin/sh\n`,
  'etc/group': `root:x:0:\ntonearm:x:${user}:\n`,
};

/** The Node of the project. */
async function nodeLayer(): Promise<LayerSource> {
  return programLayer('node', realpathSync(process.execPath));
}

/** A program, the libraries it is linked with, and those that the resolver of names opens by itself. */
async function programLayer(name: string, binary: string): Promise<LayerSource> {
  const linked = (await run('ldd', [binary])).match(/\/\S+/g) ?? [];
  const folders = [...new Set(linked.map((file) => path.dirname(file)))];
  const opened = ['libnss_dns.so.2', 'libnss_files.so.2', 'libresolv.so.2'].flatMap((library) =>
    folders.map((folder) => path.join(folder, library)).filter((file) => existsSync(file)),
  );
  const libraries = [...new Set([...linked, ...opened])];
  return {
    key: `${name} ${[binary, ...libraries].map(identityOf).join(' ')}`,
    prepare: (scratch) => {
      const rootFolder = path.join(scratch, 'root');
      for (const [from, to] of [
        [binary, `/bin/${name}`],
        ...libraries.map((file) => [file, file]),
      ]) {
        const place = path.join(rootFolder, to!);
        mkdirSync(path.dirname(place), { recursive: true });
        cpSync(realpathSync(from!), place);
      }
      return allOf(rootFolder);
    },
  };
}

function etcdLayer(binaries: string): LayerSource {
  const program = realpathSync(path.join(binaries, 'etcd'));
  return {
    key: `etcd ${identityOf(program)}`,
    prepare: (scratch) => {
      const folder = path.join(scratch, 'root');
      mkdirSync(path.join(folder, 'bin'), { recursive: true });
      copyFileSync(program, path.join(folder, 'bin', 'etcd'));
      symlinkSync('etcd', path.join(folder, 'bin', 'etcdctl'));
      return allOf(folder);
    },
  };
}

/** Two layers: the registry packages, which seldom change, and the compiled code. */
async function applicationLayers(
  store: ImageStore,
  application: Application,
): Promise<readonly Blob[]> {
  const files = productionFiles(repository, application.workspace);
  const contents = files.own.map((file) => {
    const place = path.join(repository, file);
    return `${file} ${statSync(place).isFile() ? sha256(readFileSync(place, 'latin1')) : 'link'}`;
  });
  const inApp = (list: readonly string[]): PreparedLayer => ({
    folder: repository,
    files: list,
    prefix: 'app',
  });
  return [
    await store.layer({
      key: `packages ${files.versions.join(' ')}`,
      prepare: () => inApp(files.dependencies),
    }),
    await store.layer({
      key: `code ${contents.join(' ')}`,
      prepare: () => inApp(files.own),
    }),
  ];
}

function allOf(folder: string): PreparedLayer {
  return { folder, files: globSync('**/*', { cwd: folder }), prefix: '' };
}

/** Stands for the content of a large file that nobody edits in place. */
function identityOf(file: string): string {
  const { size, mtimeMs } = statSync(file);
  return `${file}:${size}:${mtimeMs}`;
}
