/**
 * Which files of the repository a package needs to run: its compiled code, that of the workspaces it
 * depends on, and the packages of its production dependencies, found the way Node finds them.
 */
import { existsSync, globSync, lstatSync, readFileSync, realpathSync } from 'node:fs';
import path from 'node:path';

export interface ProductionFiles {
  /** Of the package and of workspaces: change often. Relative to the repository. */
  readonly own: readonly string[];
  /** Of registry packages: change with the lock file. */
  readonly dependencies: readonly string[];
  /** One `folder@version` for each registry package. */
  readonly versions: readonly string[];
}

interface PackageJson {
  readonly version?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
}

/** Compiled tests, maps and declarations are of no use to a running process. */
const notRun = /\.(map|d\.[cm]?ts|tsbuildinfo)$|\.test\.js$/;

export function productionFiles(repository: string, workspace: string): ProductionFiles {
  const own = new Set<string>();
  const dependencies = new Set<string>();
  const versions = new Set<string>();
  const seen = new Set<string>();
  const waiting = [path.join(repository, workspace)];
  for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
    if (seen.has(folder)) continue;
    seen.add(folder);
    const manifest = readManifest(folder);
    const relative = path.relative(repository, folder);
    if (relative.split(path.sep).includes('node_modules')) {
      for (const file of packageFiles(folder)) dependencies.add(path.join(relative, file));
      versions.add(`${relative}@${manifest.version ?? '?'}`);
    } else {
      for (const file of workspaceFiles(folder)) own.add(path.join(relative, file));
    }
    for (const place of installedPackages(repository, folder, manifest)) {
      if (lstatSync(place).isSymbolicLink()) own.add(path.relative(repository, place));
      waiting.push(realpathSync(place));
    }
  }
  return { own: sorted(own), dependencies: sorted(dependencies), versions: sorted(versions) };
}

/** Where the packages are that a package needs; fails when one is not installed that it cannot do without. */
function installedPackages(
  repository: string,
  folder: string,
  manifest: PackageJson,
): readonly string[] {
  return neededPackages(manifest).flatMap(([name, needed]) => {
    const place = resolvePackage(repository, folder, name);
    if (place !== undefined) return [place];
    if (needed) throw new Error(`${folder} needs ${name}, which is not installed`);
    return [];
  });
}

/** The names of what a package imports at run time, and whether it fails without. */
function neededPackages(manifest: PackageJson): readonly (readonly [string, boolean])[] {
  const peers = Object.keys(manifest.peerDependencies ?? {});
  return [
    ...Object.keys(manifest.dependencies ?? {})
      .filter((name) => manifest.optionalDependencies?.[name] === undefined)
      .map((name) => [name, true] as const),
    ...Object.keys(manifest.optionalDependencies ?? {}).map((name) => [name, false] as const),
    ...peers
      .filter((name) => manifest.peerDependenciesMeta?.[name]?.optional !== true)
      .map((name) => [name, false] as const),
  ];
}

/** Looks into `node_modules` of the folder and of every folder above it, up to the repository. */
function resolvePackage(repository: string, from: string, name: string): string | undefined {
  for (let folder = from; ; folder = path.dirname(folder)) {
    const place = path.join(folder, 'node_modules', name);
    if (existsSync(path.join(place, 'package.json'))) return place;
    if (folder === repository || folder === path.dirname(folder)) return undefined;
  }
}

function workspaceFiles(folder: string): readonly string[] {
  return ['package.json', ...filesBelow(folder, 'dist')];
}

function packageFiles(folder: string): readonly string[] {
  return filesBelow(folder, '.');
}

function filesBelow(folder: string, below: string): readonly string[] {
  return globSync(`${below}/**/*`, {
    cwd: folder,
    withFileTypes: true,
    // Packages nested below this one count only when something needs them.
    exclude: (entry) => entry.name === 'node_modules',
  })
    .filter((entry) => entry.isFile() && !notRun.test(entry.name))
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)));
}

function readManifest(folder: string): PackageJson {
  return JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8')) as PackageJson;
}

function sorted(values: ReadonlySet<string>): readonly string[] {
  return [...values].sort();
}
