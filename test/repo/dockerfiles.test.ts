/**
 * What the Dockerfiles name is in the repository. Images are built elsewhere, from a context that nobody looks at; here
 * a folder that was renamed, or a workspace that was added, is noticed at once.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';

const root = path.resolve(import.meta.dirname, '../..');

interface Manifest {
  readonly name: string;
  readonly workspaces?: readonly string[];
  readonly dependencies?: Readonly<Record<string, string>>;
}

function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(path.join(root, folder, 'package.json'), 'utf8')) as Manifest;
}

/** Folder by the name of its package. */
const workspaces = new Map(
  (readManifest('.').workspaces ?? []).map((folder) => [readManifest(folder).name, folder]),
);

/** The folders that the package needs at run time, with its own. */
function foldersOf(name: string): readonly string[] {
  const folder = workspaces.get(name);
  if (folder === undefined) return [];
  const { dependencies = {} } = readManifest(folder);
  return [...new Set([folder, ...Object.keys(dependencies).flatMap(foldersOf)])];
}

/** Does `.dockerignore` leave it out of the context? Only whole names: our patterns have no other form. */
function isIgnored(file: string): boolean {
  const patterns = readFileSync(path.join(root, '.dockerignore'), 'utf8').split('\n');
  return patterns.filter(Boolean).some((pattern) => {
    if (pattern.startsWith('**/')) {
      const name = pattern.slice('**/'.length);
      const wanted = name.startsWith('*') ? name.slice(1) : name;
      return file
        .split('/')
        .some((part) => (name.startsWith('*') ? part.endsWith(wanted) : part === wanted));
    }
    return file === pattern || file.startsWith(`${pattern}/`);
  });
}

/** The file that `tsc` makes the given one of. */
function sourceOf(file: string): string {
  const folder = [...workspaces.values()].find((one) => file.startsWith(`${one}/`)) ?? '';
  const tsconfig = readFileSync(path.join(root, folder, 'tsconfig.json'), 'utf8');
  const { compilerOptions } = JSON.parse(tsconfig) as {
    readonly compilerOptions: { readonly rootDir: string; readonly outDir: string };
  };
  const compiled = path.relative(path.join(folder, compilerOptions.outDir), file);
  return path.join(folder, compilerOptions.rootDir, compiled.replace(/\.js$/, '.ts'));
}

function all(text: string, pattern: RegExp): readonly string[] {
  return [...text.matchAll(pattern)].map((match) => match[1] ?? '');
}

for (const file of ['operator/Dockerfile', 'examples/employees/Dockerfile']) {
  describe(file, () => {
    const text = readFileSync(path.join(root, file), 'utf8');
    const copied = all(text, /^COPY --from=build \/app\/(\S+) /gm);
    const [name = ''] = all(text, /--workspace=(\S+)/g);

    it('copies only what exists, to where it was', () => {
      const targets = all(text, /^COPY --from=build \/app\/\S+ (\S+)$/gm);
      assert.deepEqual(targets, copied);
      // What npm installs is made by the build itself.
      const missing = copied.filter(
        (one) => one !== 'node_modules' && !existsSync(path.join(root, one)),
      );
      assert.deepEqual(missing, []);
    });

    it('copies the workspace that it installs, and all that this one imports', () => {
      assert.deepEqual(copied.toSorted(), ['node_modules', ...foldersOf(name)].toSorted());
    });

    it('compiles the workspace that it installs', () => {
      assert.deepEqual(all(text, /npx tsc -b (\S+)$/gm), [workspaces.get(name)]);
      assert.ok(existsSync(path.join(root, workspaces.get(name) ?? '', 'tsconfig.json')));
    });

    it('starts what it compiles', () => {
      const entries = all(text, /"\/app\/([^"]+)"/g);
      const uncompiled = entries.filter((entry) => !existsSync(path.join(root, sourceOf(entry))));
      assert.deepEqual([entries.length > 0, uncompiled], [true, []]);
    });
  });
}

describe('.dockerignore', () => {
  it('lets every workspace and what builds it into the context', () => {
    const needed = [
      'package.json',
      'package-lock.json',
      'tsconfig.json',
      'tsconfig.base.json',
      ...[...workspaces.values()].flatMap((folder) => [
        `${folder}/package.json`,
        `${folder}/tsconfig.json`,
      ]),
    ];
    assert.deepEqual(
      needed.filter((file) => isIgnored(file) || !existsSync(path.join(root, file))),
      [],
    );
  });

  it('keeps out what was built or installed here', () => {
    const foreign = ['node_modules/a', 'runtime/node_modules/a', 'runtime/dist/a.js', '.git/HEAD'];
    assert.deepEqual(foreign.filter(isIgnored), foreign);
  });
});
