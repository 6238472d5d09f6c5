/**
 * Terms that instances take by themselves, where nobody gives them out.
 *
 * Two may lead at once, and must not use one term for different rows. So a term holds, in its lower 20 bits, a hash of
 * the instance that took it: no other instance of the replica set ever takes that one. Two instances whose hashes are
 * equal are refused by validation.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { utf8ToBytes } from '@noble/hashes/utils.js';

/** 2^33 rounds are left, which nobody uses up. */
const TERMS_PER_ROUND = 2 ** 20;

/** A number below 2^20, always the same for an instance. */
export function termSlot(uuid: string): number {
  const [first = 0, second = 0, third = 0] = sha256(utf8ToBytes(uuid));
  return ((first << 16) | (second << 8) | third) % TERMS_PER_ROUND;
}

/** The lowest term of this instance that is higher than `highest`. */
export function nextTermOf(uuid: string, highest: number): number {
  const slot = termSlot(uuid);
  const round = Math.max(1, Math.floor((highest - slot) / TERMS_PER_ROUND) + 1);
  return round * TERMS_PER_ROUND + slot;
}
