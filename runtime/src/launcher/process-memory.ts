/**
 * How the data process uses memory; both are read when a process starts. What the user says goes before.
 *
 * Tuples lie in pages of 2 MiB where the kernel leaves that to programs ("madvise", the default of most Linux
 * systems): the processor then finds rows with fewer steps. Node has no way to ask for them, but its C library has.
 * Other C libraries do not know the variable.
 *
 * Batches of the log are memory that V8 counts as its own, beside a small heap. From its defaults it would look through
 * all of the heap twice a second under load, and every request would wait for that.
 */
const TUNABLE = 'glibc.malloc.hugetlb';
const HEAP_FLAG = '--initial-old-space-size';
const HEAP_MIB = 64;

/** `GLIBC_TUNABLES` for an instance. */
export function withHugePages(given: string | undefined): string {
  if (given === undefined || given === '') return `${TUNABLE}=1`;
  return given.includes(`${TUNABLE}=`) ? given : `${given}:${TUNABLE}=1`;
}

/** Arguments for Node, beside those that this process has. */
export function heapArguments(
  own: readonly string[],
  nodeOptions: string | undefined,
): readonly string[] {
  const isGiven = [...own, nodeOptions ?? ''].some((text) => text.includes(HEAP_FLAG));
  return isGiven ? [] : [`${HEAP_FLAG}=${HEAP_MIB}`];
}
