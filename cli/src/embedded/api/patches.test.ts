import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { renderDuration } from './durations.ts';
import { changesBetween, FieldSet, fieldsOf, printPath } from './field-sets.ts';
import { readJsonPath } from './json-paths.ts';
import { BUILTIN_TYPE } from './merge-types.ts';
import { mergeValues, removeFields } from './merge-values.ts';
import { applyJsonPatch, applyMergePatch } from './patches.ts';
import { applyStrategicMerge } from './strategic-merge.ts';

const containers = (...names: readonly string[]): unknown => ({
  spec: { containers: names.map((name) => ({ name, image: name })) },
});

describe('patches', () => {
  const strategic = (target: unknown, patch: unknown): unknown =>
    applyStrategicMerge(target, patch, BUILTIN_TYPE);

  it('merges entries by their key, and adds and deletes them', () => {
    const patch = {
      spec: {
        containers: [
          { name: 'a', image: 'new' },
          { name: 'b', $patch: 'delete' },
          { name: 'c', image: 'c' },
        ],
      },
    };
    assert.deepEqual(strategic(containers('a', 'b'), patch), {
      spec: {
        containers: [
          { name: 'a', image: 'new' },
          { name: 'c', image: 'c' },
        ],
      },
    });
  });

  it('replaces a list or a map when told to', () => {
    const list = { spec: { containers: [{ name: 'z' }, { $patch: 'replace' }] } };
    assert.deepEqual(strategic(containers('a'), list), { spec: { containers: [{ name: 'z' }] } });
    const map = { labels: { $patch: 'replace', b: '2' } };
    assert.deepEqual(strategic({ labels: { a: '1' } }, map), { labels: { b: '2' } });
  });

  it('deletes values from a list of plain values', () => {
    const target = { metadata: { finalizers: ['a', 'b'] } };
    const patch = { metadata: { '$deleteFromPrimitiveList/finalizers': ['a'], finalizers: ['c'] } };
    assert.deepEqual(strategic(target, patch), { metadata: { finalizers: ['b', 'c'] } });
  });

  it('follows the rules of a merge patch', () => {
    const target = { a: { b: 1, c: 2 }, d: [1] };
    assert.deepEqual(applyMergePatch(target, { a: { b: null }, d: [2] }), { a: { c: 2 }, d: [2] });
  });

  it('carries out the operations of a JSON patch in order', () => {
    const patch = [
      { op: 'add', path: '/list/-', value: 3 },
      { op: 'add', path: '/list/0', value: 0 },
      { op: 'move', from: '/a', path: '/b~1c' },
      { op: 'copy', from: '/list/0', path: '/first' },
      { op: 'remove', path: '/list/1' },
    ];
    assert.deepEqual(applyJsonPatch({ a: 1, list: [1, 2] }, patch), {
      'b/c': 1,
      first: 0,
      list: [0, 2, 3],
    });
  });
});

describe('field sets', () => {
  it('comes back from its stored form', () => {
    const set = fieldsOf(containers('a', 'b'), BUILTIN_TYPE);
    assert.deepEqual(FieldSet.fromJson(set.toJson()).toJson(), set.toJson());
  });

  it('names a field as the API server does', () => {
    const path = ['f:spec', 'f:containers', 'k:{"name":"a"}', 'f:image'];
    assert.equal(printPath(path), '.spec.containers[name="a"].image');
  });

  it('tells added, modified and removed fields apart', () => {
    const before = { a: '1', b: { x: 1 }, c: 1 };
    const after = { a: '2', b: {}, d: 1 };
    const { added, modified, removed } = changesBetween(before, after, BUILTIN_TYPE);
    assert.deepEqual(
      [added.toJson(), modified.toJson(), removed.toJson()],
      [{ 'f:d': {} }, { 'f:a': {} }, { 'f:b': { 'f:x': {} }, 'f:c': {} }],
    );
  });

  it('keeps the live order of entries that an apply does not contradict', () => {
    const live = containers('a', 'b', 'c');
    assert.deepEqual(mergeValues(live, containers('b'), BUILTIN_TYPE), live);
    assert.deepEqual(
      mergeValues(live, containers('c', 'a', 'd'), BUILTIN_TYPE),
      containers('c', 'b', 'a', 'd'),
    );
  });

  it('keeps the key of an entry whose other fields go', () => {
    const gone = FieldSet.of(
      ['f:name', 'f:image'].map((field) => ['f:spec', 'f:containers', 'k:{"name":"a"}', field]),
    );
    assert.deepEqual(removeFields({ ...(containers('a') as object), x: 1 }, gone, BUILTIN_TYPE), {
      x: 1,
    });
    const kept = { spec: { containers: [{ name: 'a', image: 'a', tty: true }] } };
    assert.deepEqual(removeFields(kept, gone, BUILTIN_TYPE), {
      spec: { containers: [{ name: 'a', tty: true }] },
    });
  });
});

describe('printing', () => {
  it('reads paths of printer columns', () => {
    const object = { status: { conditions: [{ type: 'Ready', status: 'True' }], list: [1, 2] } };
    const rows: [string, unknown[]][] = [
      ['.status.conditions[?(@.type=="Ready")].status', ['True']],
      ['.status.conditions[?(@.type=="Other")].status', []],
      ['.status.list[1]', [2]],
      ['.status.list[*]', [1, 2]],
      ['.status.missing', []],
    ];
    for (const [path, wanted] of rows) assert.deepEqual(readJsonPath(object, path), wanted, path);
  });

  it('prints ages as kubectl does', () => {
    const rows: [number, string][] = [
      [5, '5s'],
      [119, '119s'],
      [130, '2m10s'],
      [600, '10m'],
      [3 * 3600 + 60, '3h1m'],
      [47 * 3600, '47h'],
      [3 * 86400 + 3600, '3d1h'],
      [800 * 86400, '2y70d'],
    ];
    for (const [seconds, wanted] of rows) assert.equal(renderDuration(seconds * 1000), wanted);
  });
});
