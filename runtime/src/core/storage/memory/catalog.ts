import { ClusterError } from '../../errors.ts';
import { errorNumber } from '../../iproto/error-numbers.ts';
import type { Integer, SequenceDefinition } from '../../schema/sequences.ts';
import type { SpaceDefinition } from '../../schema/space-definition.ts';
import type { MemorySpace } from './memory-space.ts';

/** Ids below are left to Tarantool's system spaces. */
const FIRST_SPACE_ID = 512;

export interface Sequence {
  readonly definition: SequenceDefinition;
  /** The value that it gave last; undefined before the first. */
  last: Integer | undefined;
}

/** The spaces of an engine, by name and by id, and its sequences. */
export class Catalog {
  readonly sequences = new Map<string, Sequence>();
  /** No number is given twice: rows of a space that was dropped must not come to another one. */
  #highestId = FIRST_SPACE_ID - 1;
  readonly #byName = new Map<string, MemorySpace>();
  readonly #byId = new Map<number, MemorySpace>();

  get nextId(): number {
    return this.#highestId + 1;
  }

  add(space: MemorySpace): void {
    this.#highestId = Math.max(this.#highestId, space.id);
    this.#byName.set(space.name, space);
    this.#byId.set(space.id, space);
  }

  remove(space: MemorySpace): void {
    this.#byName.delete(space.name);
    this.#byId.delete(space.id);
  }

  /** Takes back that a space was ever added: the log has never heard of its number. */
  revoke(space: MemorySpace): void {
    this.remove(space);
    if (this.#highestId === space.id) this.#highestId -= 1;
  }

  find(name: string): MemorySpace | undefined {
    return this.#byName.get(name);
  }

  findId(id: number): MemorySpace | undefined {
    return this.#byId.get(id);
  }

  byName(name: string): MemorySpace {
    return this.#byName.get(name) ?? refuse(`"${name}"`, name);
  }

  byId(id: number): MemorySpace {
    return this.#byId.get(id) ?? refuse(`of number ${id}`, id);
  }

  sequence(name: string): Sequence {
    const sequence = this.sequences.get(name);
    if (sequence !== undefined) return sequence;
    throw new ClusterError('SCHEMA_MISSING', {
      message: `There is no sequence "${name}".`,
      details: { sequence: name },
      protocolNumber: errorNumber.NO_SUCH_SEQUENCE,
    });
  }

  inOrder(): readonly MemorySpace[] {
    return [...this.#byId.values()].toSorted((a, b) => a.id - b.id);
  }

  definitions(): readonly SpaceDefinition[] {
    return this.inOrder().map((space) => space.definition);
  }
}

function refuse(which: string, space: string | number): never {
  throw new ClusterError('SCHEMA_MISSING', {
    message: `There is no space ${which}.`,
    details: { space },
    protocolNumber: errorNumber.NO_SUCH_SPACE,
  });
}
