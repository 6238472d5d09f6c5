/** The sequences of a transaction of the engine in plain JavaScript. */
import { ClusterError } from '../errors.ts';
import { errorNumber } from '../iproto/error-numbers.ts';
import {
  advanced,
  type Integer,
  nextValue,
  type SequenceDefinition,
  type SequenceOptions,
  sequenceDefinition,
  sequenceValue,
} from '../schema/sequences.ts';
import type { CreateOptions } from './engine.ts';
import type { Catalog, Sequence } from './reference-engine-catalog.ts';
import type { Row } from './rows.ts';

export class ReferenceSequences {
  readonly #catalog: Catalog;
  readonly #did: (row: Row, undo: () => void) => void;

  constructor(catalog: Catalog, did: (row: Row, undo: () => void) => void) {
    this.#catalog = catalog;
    this.#did = did;
  }

  definitions(): readonly SequenceDefinition[] {
    return [...this.#catalog.sequences.values()].map(({ definition }) => definition);
  }

  get(name: string): Sequence {
    const sequence = this.#catalog.sequences.get(name);
    if (sequence !== undefined) return sequence;
    throw new ClusterError('SCHEMA_MISSING', { message: `There is no sequence "${name}".` });
  }

  create(name: string, options: SequenceOptions & CreateOptions): SequenceDefinition {
    const { sequences } = this.#catalog;
    const definition = sequenceDefinition(name, options);
    const existing = sequences.get(name)?.definition;
    if (existing !== undefined) {
      const same = options.ifNotExists === true && isSame(existing, definition);
      return same ? existing : refuseExisting(`Sequence "${name}"`);
    }
    sequences.set(name, { definition, last: undefined });
    this.#did({ kind: 'create-sequence', definition }, () => sequences.delete(name));
    return definition;
  }

  drop(name: string): void {
    const sequence = this.get(name);
    const { sequences, byId } = this.#catalog;
    for (const { definition } of byId.values()) {
      if (definition.indexes[0]?.sequence !== name) continue;
      throw new ClusterError('SCHEMA_CONFLICT', {
        message: `Sequence "${name}" is used by the space "${definition.name}".`,
      });
    }
    sequences.delete(name);
    this.#did({ kind: 'drop-sequence', name }, () => sequences.set(name, sequence));
  }

  next(name: string): Integer {
    const { definition, last } = this.get(name);
    const value = nextValue(definition, last);
    if (value === undefined) {
      throw new ClusterError('TUPLE_INVALID', {
        field: name,
        message: `Sequence "${name}" has given its last value.`,
        protocolNumber: errorNumber.SEQUENCE_OVERFLOW,
      });
    }
    this.#set(name, value);
    return value;
  }

  set(name: string, value: Integer | undefined): void {
    this.get(name);
    this.#set(name, value === undefined ? undefined : sequenceValue(name, value));
  }

  /** A row came with a key of its own. */
  follow(name: string, given: Integer): void {
    const { definition, last } = this.get(name);
    const value = advanced(definition, last, given);
    if (value !== last) this.#set(name, value);
  }

  #set(name: string, last: Integer | undefined): void {
    const before = this.get(name);
    const { sequences } = this.#catalog;
    sequences.set(name, { ...before, last });
    this.#did({ kind: 'set-sequence', name, value: last ?? null }, () =>
      sequences.set(name, before),
    );
  }
}

function isSame(a: SequenceDefinition, b: SequenceDefinition): boolean {
  return (
    a.start === b.start &&
    a.min === b.min &&
    a.max === b.max &&
    a.step === b.step &&
    a.cycle === b.cycle
  );
}

export function refuseExisting(what: string): never {
  throw new ClusterError('SCHEMA_CONFLICT', {
    message: `${what} exists already, with another definition or without "ifNotExists".`,
  });
}
