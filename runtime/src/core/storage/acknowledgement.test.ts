import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ClusterError } from '../errors.ts';
import type { AcknowledgementOptions } from '../schema/space-definition.ts';
import type { Engine } from './engine.ts';
import { MemoryEngine } from './memory/memory-engine.ts';
import { ReferenceEngine } from './reference-engine.ts';

const engines: readonly (readonly [string, () => Engine])[] = [
  ['in memory', () => new MemoryEngine()],
  ['in plain JavaScript', () => new ReferenceEngine()],
];

function create(engine: Engine, name: string, options: AcknowledgementOptions): void {
  const transaction = engine.begin();
  try {
    const format = [{ name: 'id', type: 'unsigned' }] as const;
    transaction.createSpace(name, { format, ifNotExists: true, ...options });
    transaction.createIndex(name, { name: 'primary', parts: ['id'], ifNotExists: true });
    transaction.commit();
  } catch (error) {
    transaction.rollback();
    throw error;
  }
}

function definitions(engine: Engine): readonly unknown[] {
  const transaction = engine.begin();
  const found = transaction.spaces().map(({ name, ack, isSync }) => [name, ack, isSync]);
  transaction.rollback();
  return found;
}

for (const [name, open] of engines) {
  describe(`how spaces of the engine ${name} are acknowledged`, () => {
    it('is in the log and in snapshots', () => {
      const engine = open();
      create(engine, 'usual', {});
      create(engine, 'fast', { ack: 'local' });
      create(engine, 'safe', { isSync: true });
      const want = [
        ['usual', undefined, undefined],
        ['fast', 'local', undefined],
        ['safe', undefined, true],
      ];
      assert.deepEqual(definitions(engine), want);
      const [follower, joined] = [open(), open()];
      follower.apply(engine.rows.take().payload);
      joined.apply(engine.scan(undefined, 1e6).payload);
      assert.deepEqual([definitions(follower), definitions(joined)], [want, want]);
    });

    it('is part of the definition, which another one conflicts with', () => {
      const engine = open();
      create(engine, 'fast', { ack: 'local', isSync: false });
      create(engine, 'fast', { ack: 'local' });
      for (const other of [{}, { isSync: true }]) {
        assert.throws(
          () => create(engine, 'fast', other),
          (error) => error instanceof ClusterError && error.code === 'SCHEMA_CONFLICT',
        );
      }
    });

    it('is one of three', () => {
      const refused: readonly (readonly [AcknowledgementOptions, string])[] = [
        [{ ack: 'local', isSync: true }, 'both.isSync'],
        [{ ack: 'remote' as 'local' }, 'both.ack'],
      ];
      for (const [options, field] of refused) {
        assert.throws(
          () => create(open(), 'both', options),
          (error) => error instanceof ClusterError && error.field === field,
        );
      }
    });
  });
}
