import { randomBytes } from 'node:crypto';

/** The first part of every path of the API: 128 bits that nobody guesses. */
export function newApiSecret(): string {
  return randomBytes(16).toString('hex');
}
