/** What the engine in plain JavaScript holds: spaces by name and id, sequences by name. */
import type { Integer, SequenceDefinition } from '../schema/sequences.ts';
import type { ReferenceSpace } from './reference-space.ts';

export interface Sequence {
  readonly definition: SequenceDefinition;
  /** Undefined before the first. */
  readonly last: Integer | undefined;
}

export class Catalog {
  readonly byName = new Map<string, ReferenceSpace>();
  readonly byId = new Map<number, ReferenceSpace>();
  readonly sequences = new Map<string, Sequence>();

  add(space: ReferenceSpace): void {
    this.byName.set(space.name, space);
    this.byId.set(space.id, space);
  }

  remove(space: ReferenceSpace): void {
    this.byName.delete(space.name);
    this.byId.delete(space.id);
  }
}
