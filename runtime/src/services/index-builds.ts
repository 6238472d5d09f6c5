/**
 * Makes indexes of spaces that have rows, slice by slice, before the transaction that creates them.
 *
 * Nothing is logged until then: the index that is half made is in memory only, and the log has its row where the
 * transaction is applied, so that whoever applies the log comes to the same. What refuses the index, as two rows with
 * the same key, is said by the transaction.
 */
import { ClusterError } from '../core/errors.ts';
import type { IndexOptions } from '../core/schema/space-definition.ts';
import type { MemoryEngine } from '../core/storage/memory/memory-engine.ts';
import type { Clock } from '../foundation/clock.ts';
import { inSlices } from './slices.ts';

export interface IndexBuildOptions {
  readonly clock: Clock;
  readonly limits: IndexBuildLimits;
  /** Throws where nothing may be written now. */
  readonly engine: () => MemoryEngine;
}

export interface IndexBuildLimits {
  /** How long an index is made without a pause. Others wait for so long. */
  readonly indexSliceMs: number;
  /** An index of a space with no more rows is made at once. */
  readonly indexRowsAtOnce: number;
}

export const defaultIndexBuildLimits: IndexBuildLimits = {
  indexSliceMs: 2,
  indexRowsAtOnce: 1000,
};

/** Rows between two looks at the clock. */
export const INDEX_STEP_ROWS = 64;

/** Resolves when a transaction would find them made; calling what it gives releases what no transaction has taken. */
export async function makeIndexes(
  space: string,
  indexes: readonly IndexOptions[],
  options: IndexBuildOptions,
): Promise<() => void> {
  const { clock, limits } = options;
  const engine = options.engine();
  const releases: (() => void)[] = [];
  const release = (): void => {
    for (const each of releases) each();
  };
  try {
    for (const index of indexes) {
      const build = engine.beginIndex(space, index, limits.indexRowsAtOnce);
      if (build === undefined) continue;
      releases.push(() => engine.endIndex(space, build));
      const step = (): boolean => {
        requireSame(engine, options.engine());
        build.requireRoom();
        return build.step(INDEX_STEP_ROWS);
      };
      await inSlices(step, { clock, sliceMs: limits.indexSliceMs, pauseRatio: 1 });
    }
  } catch (error) {
    release();
    throw error;
  }
  return release;
}

function requireSame(before: MemoryEngine, now: MemoryEngine): void {
  if (before === now) return;
  throw new ClusterError('NO_LEADER', {
    message:
      'The rows of this instance were exchanged while an index was made. Repeat the request.',
  });
}
