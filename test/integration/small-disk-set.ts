/** A replica set whose first instance works on a small disk, and clients that write until it is full. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { SeededRandom } from '../../runtime/src/testing/seeded-random.ts';
import { ROWS } from '../soak/crash-rounds.ts';
import { RowWriters } from '../soak/row-writers.ts';
import type { LocalInstance } from '../support/local-instance.ts';
import { ReplicaSet } from '../support/replica-set.ts';
import { SmallDisk } from '../support/small-disk.ts';

const SEED = 1;

export class SmallDiskSet implements AsyncDisposable {
  readonly disk: SmallDisk;
  readonly set: ReplicaSet;
  /** The one whose disk is small. */
  readonly first: LocalInstance;
  readonly writers: RowWriters;
  readonly #running: AsyncDisposableStack;

  private constructor(disk: SmallDisk, set: ReplicaSet, running: AsyncDisposableStack) {
    this.disk = disk;
    this.set = set;
    this.first = set.instances[0]!;
    this.writers = new RowWriters(set, new SeededRandom(SEED));
    this.#running = running;
  }

  static async start(
    instances: number,
    environment: Readonly<Record<string, string>>,
    { below = '', size }: { readonly below?: string; readonly size?: string } = {},
  ): Promise<SmallDiskSet> {
    await using starting = new AsyncDisposableStack();
    const folder = mkdtempSync(path.join(tmpdir(), 'tonearm-full-'));
    starting.defer(() => rmSync(folder, { recursive: true }));
    // The working directory of the instance, or a folder below; what it prints goes beside it.
    const disk = new SmallDisk(path.join(folder, 'row-0', below), size);
    disk.mount();
    starting.defer(() => disk.unmount());
    const options = { instances, application: ROWS, role: 'soak.rows', folder };
    const set = await ReplicaSet.start({
      ...options,
      environment: { TONEARM_LOG_LEVEL: 'info', ...environment },
    });
    starting.adopt(set, (started) => started.stop());
    return new SmallDiskSet(disk, set, starting.move());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#running.disposeAsync();
  }
}
