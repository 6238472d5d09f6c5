/** Reads `seeds.txt`: seeds that once found a bug, and what it was. */
import { readFileSync } from 'node:fs';

export interface KnownSeed {
  readonly scenario: string;
  readonly seed: number;
  readonly reason: string;
}

export function knownSeeds(): readonly KnownSeed[] {
  const text = readFileSync(new URL('seeds.txt', import.meta.url), 'utf8');
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return lines.map((line) => {
    const [, scenario, seed, reason] = /^(\S+) (\d+) (.+)$/.exec(line) ?? [];
    if (scenario === undefined || reason === undefined) throw new Error(`What is "${line}"?`);
    return { scenario, seed: Number(seed), reason };
  });
}
