import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { ClusterConfig, Sections } from '../../contract/cluster-config.ts';
import type { Json } from '../../contract/json.ts';
import type { ConfigPatch } from '../../contract/two-phase.ts';
import {
  applyPatch,
  buildConfig,
  checksumSections,
  patchSections,
  versionOf,
} from './apply-patch.ts';
import { canonicalJson } from './canonical-json.ts';
import { findUnkeepable, parseConfigFiles, renderConfigFiles } from './config-files.ts';

const META = {
  changeId: 'a'.repeat(64),
  clusterUuid: '11111111-1111-4111-a111-111111111111',
  author: 'admin',
  message: 'why',
  time: '2026-01-01T00:00:00.000Z',
};

function config(sections: Sections): ClusterConfig {
  return buildConfig(sections, { ...META, base: { version: 0, checksum: '' } });
}

describe('patchSections', () => {
  const cases: readonly {
    readonly name: string;
    readonly have?: Sections;
    readonly patch: ConfigPatch;
    readonly want: Sections | string;
  }[] = [
    {
      name: 'stores values and texts, and keeps the rest [CONF-09]',
      have: { kept: 1, replaced: { a: 1 } },
      patch: { replaced: { b: 2 }, notes: 'plain text', list: [1, 2] },
      want: { kept: 1, list: [1, 2], notes: 'plain text', replaced: { b: 2 } },
    },
    {
      name: 'removes with null, under either name [CONF-09]',
      have: { a: { x: 1 }, b: 'text', c: true },
      patch: { 'a.yml': null, b: null },
      want: { c: true },
    },
    {
      name: 'reads a text under a .yml name as YAML [CONF-04]',
      patch: { 'metrics.yml': 'export:\n  - path: /metrics # why\n' },
      want: { metrics: { export: [{ path: '/metrics' }] } },
    },
    {
      name: 'puts a text in the place of a value that the same patch removes [CONF-10]',
      have: { a: { x: 1 } },
      patch: { a: 'text', 'a.yml': null },
      want: { a: 'text' },
    },
    {
      name: 'refuses a text in the place of a value [CONF-10]',
      have: { a: { x: 1 } },
      patch: { a: 'text' },
      want: 'sections.a',
    },
    {
      name: 'refuses a section given twice [CONF-05]',
      patch: { a: 'text', 'a.yml': { x: 1 } },
      want: 'sections.a',
    },
    {
      name: 'refuses invalid YAML, naming the section [CONF-15]',
      patch: { 'a.yml': 'x: [1' },
      want: 'sections.a.yml',
    },
    { name: 'refuses YAML that is a text', patch: { 'a.yml': 'hello' }, want: 'sections.a.yml' },
    {
      name: 'refuses a system section as a text',
      patch: { topology: 'x' },
      want: 'sections.topology',
    },
    { name: 'refuses the reserved name', patch: { meta: { a: 1 } }, want: 'sections.meta' },
    {
      name: 'refuses names that leave the folder [CONF-07]',
      patch: { '..': 1 },
      want: 'sections...',
    },
    { name: 'refuses names with a path', patch: { 'a/b': 1 }, want: 'sections.a/b' },
  ];
  for (const { name, have = {}, patch, want } of cases) {
    it(name, () => {
      const patched = patchSections(have, patch);
      const got = patched.kind === 'patched' ? patched.sections : patched.refusal.field;
      assert.deepEqual(got, want);
    });
  }
});

describe('applyPatch', () => {
  it('makes the next version with its checksum', () => {
    const base = config({ a: 1 });
    const applied = applyPatch(base, { b: 2 }, { ...META, base: versionOf(base) });
    assert.deepEqual(applied, {
      kind: 'applied',
      config: {
        meta: { ...META, version: 2, checksum: checksumSections({ a: 1, b: 2 }) },
        sections: { a: 1, b: 2 },
      },
    });
  });

  it('refuses a change that was made from another config', () => {
    const base = config({ a: 1 });
    const other = { version: 1, checksum: checksumSections({ a: 2 }) };
    for (const stale of [other, { version: 0, checksum: '' }]) {
      const applied = applyPatch(base, { b: 2 }, { ...META, base: stale });
      assert.equal(applied.kind === 'refused' && applied.refusal.code, 'CONFIG_STALE_BASE');
    }
  });
});

const name = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,12}$/).filter(isPlainName);
const arbitrarySections = fc.dictionary(name, fc.jsonValue() as fc.Arbitrary<Json>, { maxKeys: 6 });

function isPlainName(text: string): boolean {
  return !text.includes('..') && !text.endsWith('.yml') && text !== 'meta' && text !== '__proto__';
}

describe('canonicalJson', () => {
  it('does not depend on the order of keys', () => {
    assert.equal(
      canonicalJson({ b: [1, { d: null, c: '"' }], a: -0 }),
      '{"a":0,"b":[1,{"c":"\\"","d":null}]}',
    );
    fc.assert(
      fc.property(arbitrarySections, (sections) => {
        const reversed = Object.fromEntries(Object.entries(sections).toReversed());
        assert.equal(canonicalJson(reversed), canonicalJson(sections));
      }),
    );
  });
});

describe('config files', () => {
  it('come back as the same config [CONF-02]', () => {
    fc.assert(
      fc.property(arbitrarySections, (raw) => {
        const patched = patchSections({}, raw);
        fc.pre(patched.kind === 'patched');
        const whole = config(patched.sections);
        const parsed = parseConfigFiles(renderConfigFiles(whole));
        assert.equal(
          canonicalJson(parsed.kind === 'parsed' ? parsed.config.sections : parsed.reason),
          canonicalJson(whole.sections),
        );
      }),
      { numRuns: 200 },
    );
  });

  it('come back with texts of blank lines as they were [CONF-02]', () => {
    const blank = fc.stringMatching(/^[ \n\t\r]{0,6}$/);
    fc.assert(
      fc.property(blank, (text) => {
        const whole = config({ note: { text, texts: [text, { text }], [text]: 1 } });
        const parsed = parseConfigFiles(renderConfigFiles(whole));
        assert.deepEqual(parsed, { kind: 'parsed', config: whole });
      }),
      { numRuns: 300 },
    );
  });

  it('show a text of several lines as lines', () => {
    const text = renderConfigFiles(config({ note: { text: 'one\n  two\n' } })).get('note.yml');
    assert.equal(text, 'text: |\n  one\n    two\n');
  });

  const unkeepable: readonly (readonly [string, Json])[] = [
    ['a text section that is half a character', 'a\ud800'],
    ['a key that is a byte order mark', { '\ufeff': 1 }],
  ];
  for (const [what, value] of unkeepable) {
    it(`are told beforehand not to keep ${what}, by the section`, () => {
      const found = findUnkeepable(config({ before: { a: 1 }, bad: value, other: 'text' }));
      assert.equal(found, 'bad');
    });
  }

  it('keep anything else', () => {
    assert.equal(
      findUnkeepable(config({ a: { '\u{1f600}': '\u{1f600}' }, b: '\ufeffa' })),
      undefined,
    );
  });

  const damages: readonly {
    readonly name: string;
    readonly damage: (files: Map<string, string>) => unknown;
    readonly file: string;
  }[] = [
    { name: 'a missing meta file', damage: (files) => files.delete('meta.yml'), file: 'meta.yml' },
    {
      name: 'a meta file that is not one',
      damage: (files) => files.set('meta.yml', 'version: x'),
      file: 'meta.yml',
    },
    {
      name: 'a section that is not YAML [CONF-15]',
      damage: (files) => files.set('a.yml', 'x: ['),
      file: 'a.yml',
    },
    {
      name: 'a section that was edited by hand',
      damage: (files) => files.set('a.yml', 'x: 2'),
      file: 'meta.yml',
    },
    {
      name: 'a section that exists twice [CONF-05]',
      damage: (files) => files.set('a', 'text'),
      file: 'a.yml',
    },
    { name: 'a foreign file', damage: (files) => files.set('.swp', ''), file: '.swp' },
  ];
  for (const { name: what, damage, file } of damages) {
    it(`name the file: ${what}`, () => {
      const files = new Map(renderConfigFiles(config({ a: { x: 1 } })));
      damage(files);
      const parsed = parseConfigFiles(files);
      assert.equal(parsed.kind === 'corrupt' && parsed.file, file);
    });
  }
});
