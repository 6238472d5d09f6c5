import { SCHEMA } from '../ports/iproto-storage.ts';

/** The last row that this process wrote to each space: what a reader of it has to wait for. */
export class NewestRows {
  readonly #bySpace = new Map<number, number>();
  #schemaVersion = 0;

  /** With another version of the schema than before, readers of definitions have to wait as well. */
  note(spaces: Iterable<number>, sequence: number, schemaVersion: number): void {
    for (const space of spaces) this.#bySpace.set(space, sequence);
    if (schemaVersion !== this.#schemaVersion) this.#bySpace.set(SCHEMA, sequence);
    this.#schemaVersion = schemaVersion;
  }

  /** 0 when it wrote none. */
  of(space: number): number {
    return this.#bySpace.get(space) ?? 0;
  }

  ofAll(spaces: ReadonlySet<number>): number {
    let newest = 0;
    for (const space of spaces) newest = Math.max(newest, this.of(space));
    return newest;
  }

  clear(): void {
    this.#bySpace.clear();
  }
}
