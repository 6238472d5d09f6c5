import { randomUUID } from 'node:crypto';

/** Chance, as services see it: a simulation gives one from its seed. */
export interface Random {
  /** From 0 inclusive to 1 exclusive. */
  fraction(): number;
  uuid(): string;
}

export const systemRandom: Random = {
  fraction: () => Math.random(),
  uuid: () => randomUUID(),
};
