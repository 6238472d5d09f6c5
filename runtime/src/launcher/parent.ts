/** The data process's side of its launcher. */
import { type Held, heldSchema } from './held.ts';

export interface LauncherConnection {
  /** What the state provider's records may name; to be told before they can. */
  report(held: Held): void;
  /** The launcher is gone: this process must end, as nobody would release what it holds. */
  onGone(listener: () => void): void;
}

/** Undefined when this process was not started by a launcher. */
export function connectToLauncher(): LauncherConnection | undefined {
  if (process.env['TONEARM_LAUNCHER'] === undefined || process.send === undefined) return undefined;
  // The channel alone must not keep the process alive.
  process.channel?.unref();
  return {
    report: (held) => {
      // A launcher that is gone is told by `onGone`.
      if (process.connected) process.send?.(heldSchema.parse(held), undefined, {}, () => undefined);
    },
    onGone: (listener) => {
      if (process.connected) process.once('disconnect', listener);
      else listener();
    },
  };
}
