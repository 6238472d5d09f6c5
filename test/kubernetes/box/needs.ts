/** What the machine must have before a cluster can be made here; Debian packages are installed when root. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { run } from './processes.ts';

interface Need {
  readonly package: string;
  readonly isMet: () => boolean;
}

const needs: readonly Need[] = [
  { package: 'containerd', isMet: () => onPath('containerd') && onPath('ctr') },
  { package: 'runc', isMet: () => onPath('runc') },
  { package: 'containernetworking-plugins', isMet: () => existsSync('/usr/lib/cni/bridge') },
  { package: 'iptables', isMet: () => onPath('iptables') },
  { package: 'nftables', isMet: () => onPath('nft') },
  { package: 'busybox-static', isMet: () => isStaticBusybox() },
  { package: 'iproute2', isMet: () => onPath('ip') },
  { package: 'openssl', isMet: () => onPath('openssl') },
  { package: 'util-linux', isMet: () => ['unshare', 'nsenter', 'setpriv'].every(onPath) },
];

/**
 * Returns why no cluster can be made here, or undefined when one can, after installing what is missing.
 * `binaries` is the folder of the commands: where it is there already, nothing has to be built.
 */
export async function missingNeeds(
  binaries: string,
  report: (line: string) => void,
): Promise<string | undefined> {
  if (process.platform !== 'linux') return 'it needs Linux';
  if (process.getuid?.() !== 0) return 'it needs root, for namespaces and cgroups';
  const missing = needs.filter((need) => !need.isMet()).map((need) => need.package);
  if (missing.length > 0) {
    if (!onPath('apt-get')) return `it needs ${missing.join(', ')} (names of Debian's packages)`;
    report(`installing ${missing.join(', ')} …`);
    const failure = await install(missing);
    if (failure !== undefined) return failure;
  }
  if (existsSync(binaries) || onPath('go')) return undefined;
  return 'it needs Go (https://go.dev/dl), to build Kubernetes from its modules';
}

async function install(packages: readonly string[]): Promise<string | undefined> {
  const options = { env: { DEBIAN_FRONTEND: 'noninteractive' }, deadlineMs: 10 * 60_000 };
  try {
    await run('apt-get', ['update', '-qq'], options);
    // Recommended packages would bring services that start by themselves.
    await run('apt-get', ['install', '-qq', '--no-install-recommends', ...packages], options);
  } catch (error) {
    return `installing ${packages.join(', ')} failed: ${(error as Error).message}`;
  }
  const still = needs.filter((need) => !need.isMet()).map((need) => need.package);
  return still.length === 0
    ? undefined
    : `it needs ${still.join(', ')}, also after installing them`;
}

function onPath(command: string): boolean {
  const folders = (process.env['PATH'] ?? '').split(path.delimiter);
  return folders.some((folder) => existsSync(path.join(folder, command)));
}

/** The images hold nothing but this one file, so it must not need a dynamic loader. */
function isStaticBusybox(): boolean {
  if (!existsSync('/bin/busybox')) return false;
  // The loader is named right behind the headers; a static program may hold the same name further on.
  return !readFileSync('/bin/busybox').subarray(0, 4096).includes('/ld-');
}
