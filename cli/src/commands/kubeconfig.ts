/** `tonearm kubeconfig`: the path, for `export KUBECONFIG="$(tonearm kubeconfig)"`. */
import { existsSync } from 'node:fs';
import { CommandError } from '../command-error.ts';
import type { Console } from '../console.ts';
import { StateDirectory } from '../embedded/state-directory.ts';

export function printKubeconfig(options: { readonly state: string }, console: Console): void {
  const state = new StateDirectory(options.state);
  if (!existsSync(state.kubeconfigFile)) {
    throw new CommandError(`nothing was started in ${state.root} yet: run "tonearm up"`);
  }
  if (state.runningPid() === undefined) console.problem('not running now: start "tonearm up"');
  console.line(state.kubeconfigFile);
}
