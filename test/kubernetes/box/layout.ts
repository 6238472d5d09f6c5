/**
 * Where the cluster keeps its files, and the addresses it uses.
 *
 * The addresses are the same in every run: the outer network namespace is the run's own, so nothing on the
 * machine can have them already. Whatever a run makes is below `run`, which one delete removes.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

export interface Layout {
  /** The commands: kube-apiserver, kubectl, etcd, helm, … */
  readonly binaries: string;
  /** OCI archives, and `archives.json` which names them. */
  readonly images: string;
  /** Everything of the one running cluster. */
  readonly run: string;
  /** Logs of the last run: they outlive the cluster, so that a failure can be explained. */
  readonly logs: string;
}

export const cacheFolder = path.join(
  process.env['XDG_CACHE_HOME'] ?? path.join(os.homedir(), '.cache'),
  'tonearm',
  'kubernetes',
);
export const runFolder = path.join(cacheFolder, 'run');

/** The outermost cgroup of the pods; below it there is one for each node. */
export const cgroupName = 'tonearm-kubernetes';

export const bridge = 'box0';
export const hostAddress = '172.30.0.1';
export const apiServer = `https://${hostAddress}:6443`;
export const etcdAddress = 'http://127.0.0.1:2379';
export const serviceRange = '10.97.0.0/16';
export const apiServiceAddress = '10.97.0.1';
export const podRange = '10.88.0.0/16';

export interface NodeAddresses {
  readonly name: string;
  readonly index: number;
  readonly address: string;
  readonly podRange: string;
  /** Fixed: after a power cut the host still has the old one in its neighbour table, for 40 s. */
  readonly mac: string;
}

/** The node with an index from 1 on. */
export function nodeAddresses(index: number): NodeAddresses {
  const last = 10 + index;
  return {
    name: `n${index}`,
    index,
    address: `172.30.0.${last}`,
    podRange: `10.88.${index}.0/24`,
    mac: `02:00:00:00:00:${last.toString(16).padStart(2, '0')}`,
  };
}

export function binary(layout: Layout, command: string): string {
  return path.join(layout.binaries, command);
}

export function pkiFile(layout: Layout, name: string): string {
  return path.join(layout.run, 'pki', name);
}

export function kubeconfigOf(layout: Layout, user: string): string {
  return path.join(layout.run, `${user}.kubeconfig`);
}

export function logOf(layout: Layout, daemon: string): string {
  return path.join(layout.logs, `${daemon}.log`);
}

/** A value that one process of the run leaves for another: pids, mostly. */
export function record(layout: Pick<Layout, 'run'>, name: string, value: unknown): void {
  mkdirSync(path.join(layout.run, 'records'), { recursive: true });
  writeFileSync(path.join(layout.run, 'records', `${name}.json`), JSON.stringify(value));
}

/** The recorded value, or undefined when there is none. */
export function recorded(layout: Pick<Layout, 'run'>, name: string): unknown {
  try {
    return JSON.parse(readFileSync(path.join(layout.run, 'records', `${name}.json`), 'utf8'));
  } catch {
    // It was never recorded, or its writer was killed in the middle.
    return undefined;
  }
}
