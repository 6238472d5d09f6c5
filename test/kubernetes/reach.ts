/** How a test opens a connection to a pod or a service, in a cluster whose network it may not be part of. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

export interface Target {
  readonly namespace: string;
  /** `pod/NAME` or `service/NAME`. */
  readonly object: string;
  readonly port: number;
}

export interface Reached {
  /** `host:port`. */
  readonly address: string;
  readonly close: () => Promise<void>;
}

/**
 * Forwards a port of this machine to the target, through the API server. With a service as its target, all
 * connections go to one of its pods, and end with that pod.
 */
export async function forward(
  kubectl: string,
  kubeconfig: string,
  target: Target,
): Promise<Reached> {
  const args = ['port-forward', '--address=127.0.0.1', '-n', target.namespace, target.object];
  const child = spawn(kubectl, [...args, `:${target.port}`], {
    env: { ...process.env, KUBECONFIG: kubeconfig },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said: string[] = [];
  child.stderr.on('data', (data: Buffer) => said.push(data.toString()));
  const ended = once(child, 'close');
  for await (const line of createInterface({ input: child.stdout })) {
    const address = /^Forwarding from (\S+) ->/.exec(line)?.[1];
    if (address === undefined) continue;
    child.stdout.resume();
    const close = async (): Promise<void> => {
      child.kill();
      await ended;
    };
    return { address, close };
  }
  await ended;
  throw new Error(`cannot forward to ${target.object} in ${target.namespace}: ${said.join('')}`);
}
