/** The repository checks itself: what a reviewer should not have to look for. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';

const root = path.resolve(import.meta.dirname, '../..');

/** Files of the working tree that git knows or would add. */
const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => file !== '' && existsSync(path.join(root, file)));

const sources = files.filter((file) =>
  /^(runtime|operator|cli|examples|test|scripts)\/.*\.ts$/.test(file),
);
const pages = files.filter((file) => file.endsWith('.md'));

function read(file: string): string {
  return readFileSync(path.join(root, file), 'utf8');
}

function linesWith(candidates: readonly string[], pattern: RegExp): string[] {
  return candidates.flatMap((file) =>
    read(file)
      .split('\n')
      .map((line, index) => ({ line, at: `${file}:${index + 1}` }))
      .filter(({ line }) => pattern.test(line))
      .map(({ line, at }) => `${at} ${line.trim()}`),
  );
}

describe('the repository', () => {
  it('keeps source files within 400 lines and tests within 600', () => {
    const tooLong = sources
      .map((file) => ({ file, lines: read(file).split('\n').length - 1 }))
      .filter(({ file, lines }) => lines > (file.endsWith('.test.ts') ? 600 : 400));
    assert.deepEqual(tooLong, []);
  });

  it('has no names that say nothing', () => {
    const empty = files.filter((file) =>
      /(^|\/)(utils?|helpers?|common|misc|types|constants|interfaces)(\/|\.ts$)/.test(file),
    );
    assert.deepEqual(empty, []);
  });

  it('leaves no work behind in comments', () => {
    const marker = new RegExp(
      `\\b(${['TO', 'FIX'].map((start) => `${start}${start === 'TO' ? 'DO' : 'ME'}`).join('|')})\\b`,
    );
    assert.deepEqual(linesWith(sources, marker), []);
  });

  it('skips no test and narrows no run', () => {
    const tests = sources.filter((file) => file.endsWith('.test.ts'));
    assert.deepEqual(linesWith(tests, /\b(it|describe|test)\.(only|todo)\(/), []);
  });

  it('exports nothing by default', () => {
    const product = sources.filter((file) => !file.startsWith('test/'));
    assert.deepEqual(linesWith(product, /^export default /), []);
  });

  it('links only to what exists', () => {
    const broken = pages.flatMap((page) =>
      [...read(page).matchAll(/\]\((?!https?:|mailto:|#)([^)#\s]+)(#[^)]*)?\)/g)]
        .map((match) => match[1] ?? '')
        .filter((target) => !existsSync(path.resolve(root, path.dirname(page), target)))
        .map((target) => `${page} → ${target}`),
    );
    assert.deepEqual(broken, []);
  });

  it('has one heading of the first level on each page', () => {
    const wrong = pages.filter((page) => {
      const text = read(page).replace(/^```[\s\S]*?^```/gm, '');
      return (text.match(/^# /gm) ?? []).length !== 1;
    });
    assert.deepEqual(wrong, []);
  });

  it('names every folder of a package in the README of that package', () => {
    const missing = ['runtime', 'operator', 'cli'].flatMap((workspace) => {
      const readme = `${workspace}/README.md`;
      const text = files.includes(readme) ? read(readme) : '';
      const folders = new Set(
        sources
          .map((file) => new RegExp(`^${workspace}/src/([^/]+)/`).exec(file)?.[1])
          .filter((name) => name !== undefined),
      );
      return [...folders]
        .filter((folder) => !text.includes(`\`${folder}/\``))
        .map((folder) => `${readme}: \`${folder}/\``);
    });
    assert.deepEqual(missing, []);
  });
});

describe('the error catalogue', () => {
  it('is the same in the code and in docs/errors.md, both ways', async () => {
    const { errorCatalog } = await import('../../runtime/src/core/errors.ts');
    const documented = [...read('docs/errors.md').matchAll(/^\| `([A-Z_]+)` \| (\d+) \|/gm)].map(
      (match) => `${match[1]} ${match[2]}`,
    );
    const coded = Object.entries(errorCatalog).map(([code, { status }]) => `${code} ${status}`);
    assert.deepEqual(documented.toSorted(), coded.toSorted());
  });

  it('has no code that the product never gives', async () => {
    const { errorCatalog } = await import('../../runtime/src/core/errors.ts');
    const product = sources
      .filter(
        (file) =>
          /^(runtime|operator)\/src\//.test(file) && !/\.test\.ts$|core\/errors\.ts$/.test(file),
      )
      .map(read)
      .join('\n');
    const unused = Object.keys(errorCatalog).filter((code) => !product.includes(`'${code}'`));
    assert.deepEqual(unused, []);
  });
});

describe('the glossary', () => {
  it('rules the words of the product code', () => {
    const product = sources.filter((file) =>
      /^(runtime|operator)\/src\/(core|services|controller)\//.test(file),
    );
    // Words of the ancestor stay in translations at the edge; `node:` modules and Kubernetes nodes are other things.
    const forbidden = /\b(slave|masters?)\b|\bvbucket/i;
    assert.deepEqual(linesWith(product, forbidden), []);
  });
});
