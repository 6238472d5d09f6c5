/** Calls `work` once what is under way in this tick has ended: what follows in it comes first. */
export function afterTick(work: () => void): void {
  setImmediate(work);
}
