/** The Kubernetes API of a running `tonearm up`, found through its state directory. */
import { existsSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';
import { CommandError } from '../command-error.ts';
import { StateDirectory } from '../embedded/state-directory.ts';

const kubeconfigSchema = z.object({
  clusters: z.array(z.object({ cluster: z.object({ server: z.string() }) })).min(1),
});

/** Its address, with the secret part; undefined when nothing runs there. */
export function localServer(directory: string): string | undefined {
  const state = new StateDirectory(directory);
  if (state.runningPid() === undefined || !existsSync(state.kubeconfigFile)) return undefined;
  const config = kubeconfigSchema.parse(parse(readFileSync(state.kubeconfigFile, 'utf8')));
  return config.clusters[0]?.cluster.server;
}

export async function readLocal(url: string, form = 'json'): Promise<unknown> {
  const response = await fetch(url, { headers: { accept: `application/${form}` } });
  if (!response.ok) throw new CommandError(`${url} answers ${response.status}`);
  return response.json();
}
