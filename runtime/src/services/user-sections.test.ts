import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parse } from 'yaml';
import type { Sections } from '../contract/cluster-config.ts';
import { patchSections } from '../core/config/apply-patch.ts';
import { ClusterError } from '../core/errors.ts';
import { planReplacement, renderUserSections } from './user-sections.ts';

const SECTIONS: Sections = {
  auth: { enabled: true },
  greeting: { text: 'hello' },
  note: 'free text',
  topology: { servers: {} },
  users_acl: {},
  vshard_groups: {},
};

function mapOf<T>(keys: readonly string[], value: fc.Arbitrary<T>) {
  return fc.dictionary(fc.constantFrom(...keys), value, { noNullPrototype: true });
}

describe('renderUserSections', () => {
  it('shows the sections of users as values, and none of the system [HTTP-05] [HTTP-07]', () => {
    assert.deepEqual(parse(renderUserSections(SECTIONS)), {
      greeting: { text: 'hello' },
      note: 'free text',
    });
  });

  it('shows texts of blank lines so that they can be uploaded as they were', () => {
    const note = { note: { text: ' \n', list: ['\n \n'] } };
    assert.deepEqual(planReplacement(note, renderUserSections(note)), note);
  });

  it('is an empty map without any', () => {
    assert.equal(renderUserSections({ topology: {} }), '{}\n');
  });
});

describe('planReplacement', () => {
  it('removes what is not named, and keeps the sections of the system [HTTP-06]', () => {
    assert.deepEqual(planReplacement(SECTIONS, 'limit:\n  max: 1\n'), {
      greeting: null,
      note: null,
      limit: { max: 1 },
    });
  });

  it('says that the value goes where a text takes its place', () => {
    assert.deepEqual(planReplacement(SECTIONS, 'greeting: hi\nnote: other\n'), {
      greeting: 'hi',
      'greeting.yml': null,
      note: 'other',
    });
  });

  it('makes exactly the sections that were uploaded', () => {
    const value = fc.oneof(fc.string(), fc.integer(), mapOf(['a', 'b'], fc.integer()));
    const user = mapOf(['one', 'two', 'three'], value);
    fc.assert(
      fc.property(user, user, (before, wanted) => {
        const system = { topology: { servers: {} } };
        const patch = planReplacement({ ...before, ...system }, JSON.stringify(wanted));
        assert.deepEqual(patchSections({ ...before, ...system }, patch), {
          kind: 'patched',
          sections: { ...wanted, ...system },
        });
      }),
    );
  });

  const refusals: readonly (readonly [string, string, string, RegExp])[] = [
    ['nothing', '  \n', 'body', /empty/],
    ['what is no YAML', 'a: {', 'body', /not valid YAML/],
    ['a list', '- a', 'body', /one YAML map/],
    ['a text', 'hello', 'body', /one YAML map/],
    ['what JSON cannot carry', 'a: .nan', 'body', /JSON cannot carry/],
    ['a value that holds itself', 'a: &x [*x, *x]', 'a', /more than 64 levels/],
    ['a map that holds itself', '&x {a: *x}', 'a', /more than 64 levels/],
    ['too many levels', `a: ${'['.repeat(65)}${']'.repeat(65)}`, 'a', /more than 64 levels/],
    ['a section of the system', 'topology: {}', 'topology', /belongs to the system/],
    ['a section of the system by its file', 'auth.yml: {}', 'auth.yml', /belongs to the system/],
  ];
  for (const [name, yaml, field, message] of refusals) {
    it(`refuses ${name}`, () => {
      assert.throws(
        () => planReplacement(SECTIONS, yaml),
        (error) =>
          error instanceof ClusterError &&
          error.code === 'CONFIG_INVALID' &&
          error.field === field &&
          message.test(error.message),
      );
    });
  }
});
