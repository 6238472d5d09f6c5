/**
 * How the heap of the data process begins, which is read when a process starts. What the user says goes before.
 *
 * Batches of the log are memory that V8 counts as its own, beside a small heap. From its defaults it would look through
 * all of the heap twice a second under load, and every request would wait for that.
 */
const HEAP_FLAG = '--initial-old-space-size';
const HEAP_MIB = 64;

/** Arguments for Node, beside those that this process has. */
export function heapArguments(
  own: readonly string[],
  nodeOptions: string | undefined,
): readonly string[] {
  const isGiven = [...own, nodeOptions ?? ''].some((text) => text.includes(HEAP_FLAG));
  return isGiven ? [] : [`${HEAP_FLAG}=${HEAP_MIB}`];
}
