/**
 * What must hold of the records in the state provider, whoever wrote them: in one store, no term is followed by a
 * lower one. So nothing that was prepared before the store was set up anew has come through to the new one.
 */
import {
  appointmentSchema,
  leaseSchema,
  providerKeys,
} from '../../runtime/src/contract/provider-records.ts';
import type { SimulatedStore } from '../../runtime/src/testing/simulated-store.ts';

export class RecordChecker {
  readonly #store: SimulatedStore;
  readonly #violate: (message: string) => void;
  readonly #terms = new Map<string, number>();
  readonly #seen = new Map<string, string>();
  #epoch = 0;

  constructor(store: SimulatedStore, violate: (message: string) => void) {
    this.#store = store;
    this.#violate = violate;
  }

  /** Called after every change of the store. */
  changed(): void {
    if (this.#epoch !== this.#store.epoch) {
      this.#terms.clear();
      this.#seen.clear();
    }
    this.#epoch = this.#store.epoch;
    for (const prefix of [providerKeys.leaders, providerKeys.leases]) {
      const schema = prefix === providerKeys.leaders ? appointmentSchema : leaseSchema;
      for (const { key, value } of this.#store.list(prefix).entries) {
        if (this.#seen.get(key) === value) continue;
        this.#seen.set(key, value);
        const { term } = schema.parse(JSON.parse(value));
        const before = this.#terms.get(key) ?? 0;
        if (term < before) this.#violate(`${key} went back from term ${before} to ${term}`);
        this.#terms.set(key, term);
      }
    }
  }
}
