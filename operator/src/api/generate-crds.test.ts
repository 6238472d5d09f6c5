import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { crds } from './crds.ts';
import { renderCrdFiles } from './generate-crds.ts';

const root = path.resolve(import.meta.dirname, '../../..');

describe('generated CRDs', () => {
  for (const [file, content] of renderCrdFiles()) {
    it(`are up to date in ${file}`, () => {
      assert.equal(readFileSync(path.join(root, file), 'utf8'), content);
    });
  }

  it('are structural: every value has a type or is declared opaque', () => {
    assert.deepEqual(
      crds().flatMap((crd) => untyped(crd.spec, crd.metadata.name)),
      [],
    );
  });

  it('describe every field', () => {
    assert.deepEqual(
      crds().flatMap((crd) => undescribed(crd.spec, crd.metadata.name)),
      [],
    );
  });

  it('name the kinds as users type them', () => {
    assert.deepEqual(
      crds().map(({ spec }) => (spec as { names: { shortNames: string[] } }).names.shortNames),
      [['tcl'], ['trs']],
    );
  });
});

type Schema = Readonly<Record<string, unknown>>;

function* schemasIn(value: unknown, where: string): Generator<readonly [string, Schema]> {
  if (typeof value !== 'object' || value === null) return;
  for (const [key, child] of Object.entries(value)) {
    const at = `${where}.${key}`;
    if (key === 'openAPIV3Schema' || key === 'items' || key === 'additionalProperties') {
      yield [at, child as Schema];
    }
    if (key === 'properties') {
      for (const [name, property] of Object.entries(child as Schema)) {
        yield [`${at}.${name}`, property as Schema];
      }
    }
    yield* schemasIn(child, at);
  }
}

function untyped(spec: Schema, name: string): readonly string[] {
  return [...schemasIn(spec, name)]
    .filter(
      ([, schema]) =>
        schema['type'] === undefined &&
        schema['x-kubernetes-int-or-string'] !== true &&
        schema['x-kubernetes-preserve-unknown-fields'] !== true,
    )
    .map(([where]) => where);
}

/** Elements are described by their list; refused section names by the message of their rule. */
function undescribed(spec: Schema, name: string): readonly string[] {
  return [...schemasIn(spec, name)]
    .filter(([where]) => !/\.(items|additionalProperties|metadata)$/.test(where))
    .filter(([where]) => !where.includes('.config.properties.'))
    .filter(([, schema]) => schema['description'] === undefined)
    .map(([where]) => where);
}
