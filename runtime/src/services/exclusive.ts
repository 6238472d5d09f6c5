/** Runs what it is given one after the other, in order. */
export class Exclusive {
  #tail: Promise<unknown> = Promise.resolve();
  #unfinished = 0;

  /** Nothing runs, and nothing waits. */
  get isIdle(): boolean {
    return this.#unfinished === 0;
  }

  run<T>(work: () => Promise<T>): Promise<T> {
    this.#unfinished++;
    const done = this.#tail.then(work);
    const end = (): void => {
      this.#unfinished--;
    };
    this.#tail = done.then(end, end);
    return done;
  }
}
