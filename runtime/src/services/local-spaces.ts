/** Which spaces are acknowledged by the leader's own log alone, and which by nobody less than a majority. */
import { ClusterError } from '../core/errors.ts';
import type { MemoryEngine } from '../core/storage/memory/memory-engine.ts';

/** A transaction waits for the in-sync members unless everything that it has read or written is local. */
export function areLocal(engine: MemoryEngine, spaces: ReadonlySet<number>): boolean {
  // What belongs to no space, as the values of sequences, is not local.
  if (spaces.size === 0) return false;
  for (const id of spaces) if (engine.catalog.findId(id)?.isLocal !== true) return false;
  return true;
}

/** A single request may ask for less than its space says, but not for less than a majority. */
export function refuseSynchronous(engine: MemoryEngine, spaces: ReadonlySet<number>): void {
  for (const id of spaces) {
    const definition = engine.catalog.findId(id)?.definition;
    if (definition?.isSync !== true) continue;
    throw new ClusterError('REQUEST_INVALID', {
      field: 'ack',
      message:
        `Space "${definition.name}" is synchronous: its rows are acknowledged by a majority, not ` +
        'by the leader alone. Leave "ack" out.',
    });
  }
}

/** Names of synchronous spaces, looked for only after changes of the schema. */
export class SynchronousSpaces {
  #engine: MemoryEngine | undefined;
  #version = 0;
  #names: readonly string[] = [];

  of(engine: MemoryEngine): readonly string[] {
    if (engine === this.#engine && engine.schemaVersion === this.#version) return this.#names;
    this.#engine = engine;
    this.#version = engine.schemaVersion;
    const definitions = engine.catalog.definitions();
    this.#names = definitions.filter(({ isSync }) => isSync === true).map(({ name }) => name);
    return this.#names;
  }
}
