/**
 * Compiles what every instance loads, once, before several of them would do the same work at the same time. Needed
 * only as long as the cache of compiled code is empty: at the first start on a machine.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { conditions } from './node/pods/images.ts';

/** Resolves when the code is compiled, or cannot be: the instances then do it themselves. */
export function warmUpInstances(): Promise<void> {
  const entry = fileURLToPath(import.meta.resolve('@tonearm/runtime'));
  // Loading it is all: an instance begins with a call.
  const child = spawn(process.execPath, [...conditions(), entry], { stdio: 'ignore' });
  return new Promise((resolve) => {
    child.once('error', () => resolve());
    child.once('exit', () => resolve());
  });
}
