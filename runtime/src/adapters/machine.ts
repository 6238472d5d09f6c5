/** Facts about the machine that the product cannot find out otherwise. */
import { readFileSync } from 'node:fs';
import { platform, uptime } from 'node:os';

/** Differs after a boot of the kernel; empty when unknown. */
export function readBootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    // Not Linux: the time of the boot, to the minute. A wrong difference costs a seat, never data.
    return platform() === 'linux'
      ? ''
      : `boot-minute-${Math.round((Date.now() / 1000 - uptime()) / 60)}`;
  }
}
