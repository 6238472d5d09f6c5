/** What the engine of an instance does in slices beside its requests, where nobody waits for the outcome. */
import type { Batch } from '../core/storage/log-format.ts';
import type { MemoryEngine } from '../core/storage/memory/memory-engine.ts';
import type { Clock } from '../foundation/clock.ts';
import { INDEX_STEP_ROWS, type IndexBuildLimits } from './index-builds.ts';
import { inSlices } from './slices.ts';

export interface EngineSliceOptions {
  readonly clock: Clock;
  readonly limits: IndexBuildLimits;
}

/** Rows of the leader wait meanwhile: a pause only has to be long enough for everything else. */
const SHORT_PAUSE_RATIO = 0.25;
const FREE_EVERY_MS = 50;

/** Makes the indexes that the rows of these batches create, so that applying them does not take long. */
export async function prepareIndexes(
  engine: MemoryEngine,
  batches: readonly Batch[],
  { clock, limits }: EngineSliceOptions,
): Promise<void> {
  const { indexRowsAtOnce, indexSliceMs: sliceMs } = limits;
  const builds = batches.flatMap(({ payload }) => engine.beginIndexes(payload, indexRowsAtOnce));
  for (const build of builds) {
    const step = (): boolean => build.step(INDEX_STEP_ROWS);
    await inSlices(step, { clock, sliceMs, pauseRatio: SHORT_PAUSE_RATIO });
  }
}

/** Nobody may use the engine meanwhile, so that other tasks have little to do: each gets its turn, no more. */
export async function endLoad(
  engine: MemoryEngine,
  { clock, limits }: EngineSliceOptions,
): Promise<void> {
  const steps = engine.endLoadInSteps();
  const step = (): boolean => steps.next().done !== true;
  await inSlices(step, { clock, sliceMs: limits.indexSliceMs, pauseRatio: 0 });
}

/** A follower takes more rows only when those of disk spaces do not fill its memory. */
export async function moveExcess(
  { disk }: MemoryEngine,
  acknowledged: number,
  { clock, limits }: EngineSliceOptions,
): Promise<void> {
  if (disk === undefined) return;
  const step = (): boolean => disk.moveExcess(acknowledged);
  await inSlices(step, { clock, sliceMs: limits.indexSliceMs, pauseRatio: SHORT_PAUSE_RATIO });
}

/** Frees what was dropped, until the signal aborts. */
export async function freeMemory(
  engine: () => MemoryEngine,
  { clock, limits }: EngineSliceOptions,
  signal: AbortSignal,
): Promise<void> {
  const step = (): boolean => engine().collectGarbage();
  const sliceMs = limits.indexSliceMs;
  for (;;) {
    await clock.sleep(FREE_EVERY_MS, signal);
    await inSlices(step, { clock, sliceMs, pauseRatio: 1, signal });
  }
}
