/** Changes of spaces, indexes and sequences within a transaction of the memory engine. */
import { ClusterError } from '../../errors.ts';
import { errorNumber } from '../../iproto/error-numbers.ts';
import {
  advanced,
  type Integer,
  nextValue,
  type SequenceDefinition,
  type SequenceOptions,
  sequenceDefinition,
  sequenceValue,
} from '../../schema/sequences.ts';
import {
  type IndexDefinition,
  type IndexOptions,
  indexDefinition,
  type SpaceDefinition,
  sameAcknowledgement,
  sameFormat,
  sameIndex,
  spaceAcknowledgement,
  spaceEngine,
  spaceFormat,
} from '../../schema/space-definition.ts';
import { requireKeptOrder } from '../disk/index-keys.ts';
import type { CreateOptions, SpaceOptions } from '../engine.ts';
import type { Sequence } from './catalog.ts';
import type { MemoryRows } from './memory-rows.ts';
import type { MemorySpace } from './memory-space.ts';

export class MemorySchema {
  readonly #engine: MemoryRows;

  constructor(engine: MemoryRows) {
    this.#engine = engine;
  }

  createSpace(name: string, options: SpaceOptions): SpaceDefinition {
    const { catalog } = this.#engine;
    const format = spaceFormat(name, options.format);
    const acknowledgement = spaceAcknowledgement(name, options);
    const engine = spaceEngine(name, options.engine);
    const existing = catalog.find(name)?.definition;
    if (existing !== undefined) {
      const same =
        options.ifNotExists === true &&
        sameFormat(existing.format, format) &&
        existing.engine === engine.engine &&
        sameAcknowledgement(existing, acknowledgement);
      return same ? existing : refuseExisting(`Space "${name}"`);
    }
    const basics = { id: catalog.nextId, name, format, indexes: [] };
    const space = this.#engine.newSpace({ ...basics, ...acknowledgement, ...engine });
    catalog.add(space);
    this.#engine.changedSchema(
      { kind: 'create-space', definition: space.definition },
      { undo: () => catalog.revoke(space) },
    );
    return space.definition;
  }

  dropSpace(space: MemorySpace): void {
    const { catalog } = this.#engine;
    catalog.remove(space);
    this.#engine.changedSchema(
      { kind: 'drop-space', space: space.id },
      { undo: () => catalog.add(space), settle: () => this.#engine.discard(space) },
    );
  }

  /** An empty space of the same definition takes its place. */
  truncate(space: MemorySpace): void {
    const { catalog } = this.#engine;
    const empty = this.#engine.newSpace(space.definition, { before: space });
    catalog.add(empty);
    const undo = (): void => {
      catalog.add(space);
      for (const index of empty.indexes) index.dispose();
    };
    this.#engine.changedSchema(
      { kind: 'truncate', space: space.id },
      { undo, settle: () => this.#engine.discard(space) },
    );
  }

  createIndex(space: MemorySpace, options: IndexOptions & CreateOptions): IndexDefinition {
    const { indexes } = space.definition;
    const existing = indexes.find((index) => index.name === options.name);
    // An existing primary index is compared as what it would be if it were created now: as the first.
    const before = existing?.id === 0 ? [] : indexes;
    const index = indexDefinition({ ...space.definition, indexes: before }, options);
    if (existing !== undefined) {
      const same = options.ifNotExists === true && sameIndex(existing, index);
      return same ? existing : refuseExisting(`Index "${space.name}.${options.name}"`);
    }
    if (index.sequence !== undefined) this.#engine.catalog.sequence(index.sequence);
    if (space.overlay !== undefined) requireKeptOrder(space.definition, index);
    if (index.id !== 0) space.overlay?.requireBuildable(index);
    space.createIndex(index);
    this.#engine.changedSchema(
      { kind: 'create-index', space: space.id, index },
      {
        undo: () => {
          space.dropIndex(index.id).dispose();
          space.overlay?.removeIndex(index);
        },
      },
    );
    return index;
  }

  dropIndex(space: MemorySpace, name: string): void {
    const { definition } = space.indexByName(name);
    if (definition.id === 0) {
      throw new ClusterError('SCHEMA_CONFLICT', {
        message: `"${space.name}.${name}" is the primary index: drop the space instead.`,
      });
    }
    // Rows that come from the disk and go meanwhile are none of a transaction's changes.
    space.overlay?.cool();
    const index = space.dropIndex(definition.id);
    const undo = (): void => {
      space.overlay?.cool();
      space.restoreIndex(index);
    };
    this.#engine.changedSchema(
      { kind: 'drop-index', space: space.id, index: definition.id },
      { undo, settle: () => index.dispose() },
    );
  }

  createSequence(name: string, options: SequenceOptions & CreateOptions): SequenceDefinition {
    const { sequences } = this.#engine.catalog;
    const definition = sequenceDefinition(name, options);
    const existing = sequences.get(name)?.definition;
    if (existing !== undefined) {
      const same = options.ifNotExists === true && isSameSequence(existing, definition);
      return same ? existing : refuseExisting(`Sequence "${name}"`);
    }
    sequences.set(name, { definition, last: undefined });
    this.#engine.changedSchema(
      { kind: 'create-sequence', definition },
      { undo: () => sequences.delete(name) },
    );
    return definition;
  }

  dropSequence(name: string): void {
    const { catalog } = this.#engine;
    const sequence = catalog.sequence(name);
    const user = catalog
      .definitions()
      .find(({ indexes }) => indexes.some((index) => index.sequence === name));
    if (user !== undefined) {
      throw new ClusterError('SCHEMA_CONFLICT', {
        message: `Sequence "${name}" gives values to the primary index of "${user.name}": drop that first.`,
      });
    }
    catalog.sequences.delete(name);
    this.#engine.changedSchema(
      { kind: 'drop-sequence', name },
      { undo: () => catalog.sequences.set(name, sequence) },
    );
  }

  nextOf(name: string): Integer {
    const sequence = this.#engine.catalog.sequence(name);
    const next = nextValue(sequence.definition, sequence.last);
    if (next === undefined) {
      throw new ClusterError('TUPLE_INVALID', {
        field: name,
        message: `Sequence "${name}" has given its last value, and does not begin anew.`,
        protocolNumber: errorNumber.SEQUENCE_OVERFLOW,
      });
    }
    this.#set(name, sequence, next);
    return next;
  }

  setSequence(name: string, value: Integer | undefined): void {
    const sequence = this.#engine.catalog.sequence(name);
    this.#set(name, sequence, value === undefined ? undefined : sequenceValue(name, value));
  }

  /** A row was given a value of its own: the sequence goes on behind it. */
  passSequence(name: string, given: Integer): void {
    const sequence = this.#engine.catalog.sequence(name);
    const next = advanced(sequence.definition, sequence.last, given);
    if (next !== sequence.last) this.#set(name, sequence, next);
  }

  #set(name: string, sequence: Sequence, value: Integer | undefined): void {
    const before = sequence.last;
    sequence.last = value;
    this.#engine.changedRow(
      { kind: 'set-sequence', name, value: value ?? null },
      {
        undo: () => {
          sequence.last = before;
        },
      },
    );
  }
}

function isSameSequence(a: SequenceDefinition, b: SequenceDefinition): boolean {
  return (
    a.start === b.start &&
    a.min === b.min &&
    a.max === b.max &&
    a.step === b.step &&
    a.cycle === b.cycle
  );
}

function refuseExisting(what: string): never {
  throw new ClusterError('SCHEMA_CONFLICT', {
    message: `${what} exists already, with another definition or without "ifNotExists".`,
  });
}
