/** Reads `seeds.txt`: seeds that once found a bug, and what it was. */
import { readFileSync } from 'node:fs';

export interface KnownSeed {
  readonly seed: number;
  readonly reason: string;
}

export function knownSeeds(scenario: string): readonly KnownSeed[] {
  const text = readFileSync(new URL('seeds.txt', import.meta.url), 'utf8');
  return text.split('\n').flatMap((line) => {
    const [, name, seed, reason] = /^(\S+) (\d+) (.+)$/.exec(line) ?? [];
    return name === scenario ? [{ seed: Number(seed), reason: reason ?? '' }] : [];
  });
}
