/**
 * The addresses of peers by their names, so that a name server which is slow or away stops nothing but new names.
 *
 * The resolver of the system has a few threads, which it shares with the syncs of the log, and may wait for seconds. So
 * there is at most one question per name under way, whoever asks; and an address that is known serves on when a newer
 * one does not come soon. Whoever cannot connect says so with `forget`: a pod that was started again has another one.
 */
import { type LookupAddress, type LookupOptions, promises } from 'node:dns';
import { setTimeout as sleep } from 'node:timers/promises';

type Callback = (
  error: NodeJS.ErrnoException | null,
  address: string | LookupAddress[],
  family?: number,
) => void;
type Resolve = (name: string) => Promise<readonly LookupAddress[]>;

interface Known {
  readonly addresses: readonly LookupAddress[];
  readonly atMs: number;
}

export interface NameCacheOptions {
  /** The system's resolver when left out. */
  readonly resolve?: Resolve;
  /** So long an address is not asked for again. */
  readonly freshMs?: number;
  /** So long a newer address is waited for when there is an older one. */
  readonly patienceMs?: number;
}

export class NameCache {
  readonly #resolve: Resolve;
  readonly #freshMs: number;
  readonly #patienceMs: number;
  readonly #known = new Map<string, Known>();
  readonly #asking = new Map<string, Promise<readonly LookupAddress[]>>();

  constructor(options: NameCacheOptions = {}) {
    this.#resolve = options.resolve ?? ((name) => promises.lookup(name, { all: true }));
    this.#freshMs = options.freshMs ?? 5000;
    this.#patienceMs = options.patienceMs ?? 100;
  }

  /** As `net.connect` wants it. */
  readonly lookup = (name: string, options: LookupOptions, callback: Callback): void => {
    this.addresses(name).then(
      (found) => answer(found, options, callback),
      (error: unknown) => callback(error as NodeJS.ErrnoException, []),
    );
  };

  async addresses(name: string): Promise<readonly LookupAddress[]> {
    const known = this.#known.get(name);
    if (known !== undefined && performance.now() - known.atMs < this.#freshMs)
      return known.addresses;
    const asked = this.#ask(name);
    if (known === undefined) return asked;
    const patience = sleep(this.#patienceMs, known.addresses, { ref: false });
    return Promise.race([asked, patience]);
  }

  /** Its address may be another by now. */
  forget(name: string): void {
    this.#known.delete(name);
  }

  #ask(name: string): Promise<readonly LookupAddress[]> {
    const asking = this.#asking.get(name);
    if (asking !== undefined) return asking;
    const asked = this.#resolve(name)
      .then(
        (addresses) => {
          this.#known.set(name, { addresses, atMs: performance.now() });
          return addresses;
        },
        (error: unknown) => {
          this.#known.delete(name);
          throw error;
        },
      )
      .finally(() => this.#asking.delete(name));
    // Whoever had an older address may not wait for it any more.
    asked.catch(() => undefined);
    this.#asking.set(name, asked);
    return asked;
  }
}

function answer(found: readonly LookupAddress[], options: LookupOptions, callback: Callback): void {
  if (options.all === true) {
    callback(null, [...found]);
    return;
  }
  const [first] = found;
  if (first === undefined)
    callback(Object.assign(new Error('no address'), { code: 'ENOTFOUND' }), []);
  else callback(null, first.address, first.family);
}
