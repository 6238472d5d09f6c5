/** A watch of a state provider, and what it has shown. */
import type { ProviderChange, StateProvider } from '../../runtime/src/ports/state-provider.ts';

/** Collects changes until `count` have come. */
export class Watched {
  readonly changes: ProviderChange[] = [];
  readonly ended: Promise<unknown>;
  readonly #abort = new AbortController();
  #wanted = 0;
  #arrived: () => void = () => undefined;

  constructor(provider: StateProvider, prefix: string, fromRevision: number) {
    this.ended = provider
      .watch(prefix, fromRevision, (changes) => this.#collect(changes), this.#abort.signal)
      .then(
        () => 'ended',
        (error: unknown) => error,
      );
  }

  async until(count: number): Promise<readonly (readonly [string, string | null])[]> {
    await new Promise<void>((resolve) => {
      this.#wanted = count;
      this.#arrived = resolve;
      this.#collect([]);
    });
    return this.changes.map(({ key, value }) => [key, value] as const);
  }

  async stop(): Promise<unknown> {
    this.#abort.abort(new Error('enough'));
    return this.ended;
  }

  #collect(changes: readonly ProviderChange[]): void {
    this.changes.push(...changes);
    if (this.changes.length >= this.#wanted) this.#arrived();
  }
}
