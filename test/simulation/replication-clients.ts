/** Clients of a replica set that write until the end of a run, and tell the checker what they were answered. */
import { ClusterError } from '../../runtime/src/core/errors.ts';
import type { SpaceEngine } from '../../runtime/src/core/schema/space-definition.ts';
import type { StorageService } from '../../runtime/src/services/storage-service.ts';
import type { SeededRandom } from '../../runtime/src/testing/seeded-random.ts';
import type { SimulatedClock } from '../../runtime/src/testing/simulated-clock.ts';
import type { Gate } from './gate.ts';
import type { Acknowledgements } from './replication-acks.ts';
import type { ReplicationChecker } from './replication-checker.ts';
import type { SimulatedInstance } from './replication-instance.ts';
import { addLocalRow, addRow } from './replication-rows.ts';

export interface ReplicationClientsOptions {
  readonly clock: SimulatedClock;
  readonly random: SeededRandom;
  readonly instances: () => readonly SimulatedInstance[];
  readonly checker: ReplicationChecker;
  readonly acks: Acknowledgements | undefined;
  readonly engine: SpaceEngine;
}

export class ReplicationClients {
  /** Writes of which the clients were not told what became of them. */
  unknown = 0;
  readonly #clock: SimulatedClock;
  readonly #random: SeededRandom;
  readonly #checker: ReplicationChecker;
  readonly #acks: Acknowledgements | undefined;
  readonly #options: ReplicationClientsOptions;
  #nextId = 1;

  constructor(options: ReplicationClientsOptions) {
    this.#clock = options.clock;
    this.#random = options.random;
    this.#checker = options.checker;
    this.#acks = options.acks;
    this.#options = options;
  }

  async write(untilMs: number): Promise<void> {
    for (;;) {
      await this.#clock.sleep(this.#random.fraction() * 80);
      if (this.#clock.monotonicMs() > untilMs) return;
      this.#checker.oneLeader();
      const instances = this.#options.instances();
      const writable = instances.filter(({ storage }) => storage?.isWritable === true);
      const all = this.#random.chance(0.1) || writable.length === 0 ? instances : writable;
      const instance = this.#random.pick(all);
      const { storage, gate } = instance;
      if (storage === undefined) continue;
      const id = this.#nextId++;
      if (this.#acks !== undefined && this.#random.chance(0.3)) {
        await this.#addLocal(instance, storage, id);
        continue;
      }
      const isRefused = this.#random.chance(0.05);
      const isSync = this.#acks?.isSync ?? false;
      const row = { id, isSync, isRefused, engine: this.#options.engine };
      const write = gate.pass().then(() => storage.write((tx) => addRow(tx, row)));
      await this.#await(id, answered(gate, write));
    }
  }

  async #addLocal(instance: SimulatedInstance, storage: StorageService, id: number): Promise<void> {
    const incarnation = instance.logIncarnation;
    const row = { id, isSync: this.#acks?.isSync ?? false };
    const write = instance.gate.pass().then(() => storage.write((tx) => addLocalRow(tx, row)));
    const work = answered(instance.gate, write);
    const silence = this.#clock.sleep(4000).then(() => 'unknown');
    const outcome = await Promise.race([work.then(() => 'done', verdict), silence]);
    if (outcome === 'done') this.#checker.local.answered(id, instance, incarnation);
    else if (outcome !== 'refused' && outcome !== 'unknown') {
      this.#checker.violations.push(`local row ${id}: ${outcome}`);
    }
  }

  async #await(id: number, write: Promise<void>): Promise<void> {
    const ended = new AbortController();
    const silence = this.#clock.sleep(4000, ended.signal).then(
      () => 'unknown' as const,
      // The answer came first: nobody looks at this any more.
      () => 'unknown' as const,
    );
    const outcome = await Promise.race([write.then(() => 'done' as const, verdict), silence]);
    ended.abort();
    if (outcome === 'done') this.#checker.acknowledged.add(id);
    else if (outcome === 'refused') this.#checker.refused.add(id);
    else if (outcome === 'unknown') this.unknown += 1;
    else this.#checker.violations.push(`row ${id}: ${outcome}`);
  }
}

/** A process that is dead answers nothing, whatever its last steps come to. */
function answered<T>(gate: Pick<Gate, 'pass'>, work: Promise<T>): Promise<T> {
  return work.then(
    async (value) => {
      await gate.pass();
      return value;
    },
    async (error: unknown) => {
      await gate.pass();
      throw error;
    },
  );
}

function verdict(error: unknown): string {
  if (!(error instanceof ClusterError)) return `failed with ${String(error)}`;
  if (error.code === 'NO_LEADER' || error.code === 'REQUEST_INVALID') return 'refused';
  return error.code === 'OUTCOME_UNKNOWN' ? 'unknown' : `failed with ${error.code}`;
}
