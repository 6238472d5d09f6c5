/**
 * Everything that a run of whole clusters draws before it begins: how large they are, who asks what of them, and every
 * fault with its moment. A seed makes the script; a script can be made smaller, and played with the same seed again.
 *
 * What is drawn on the way has streams of its own, one for each machine, client and fault, so that a fault that is left
 * out changes nothing of the others but what they meet.
 */
import { SeededRandom } from '../../runtime/src/testing/seeded-random.ts';
import type { NetworkFaults } from '../../runtime/src/testing/simulated-peers.ts';

export interface FaultEvent {
  readonly atMs: number;
  readonly kind: string;
  /** As `a1`: the first machine of the first set. */
  readonly machine: string;
  /** A leader instead, if there is one then. A script that was recorded names the one that was met. */
  readonly wantsLeader: boolean;
  readonly forMs: number;
  /** Makes what the fault itself draws. */
  readonly salt: number;
}

export interface ClusterScript {
  /** Instances of each replica set. */
  readonly sets: readonly number[];
  readonly log: 'write' | 'fsync';
  /** Are the spaces of the registers synchronous? */
  readonly spaces: 'sync' | 'plain';
  /** How many of each workload, by its name; none of those that are left out. */
  readonly clients: Readonly<Record<string, number>>;
  readonly network: NetworkFaults;
  readonly faultsMs: number;
  readonly events: readonly FaultEvent[];
}

/** The numbers that follow from a seed for one purpose. */
export function stream(seed: number, purpose: string): SeededRandom {
  let hash = 0x811c9dc5 ^ seed;
  for (const character of purpose) {
    hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
  }
  // Seeds that follow each other must not make streams that are alike.
  return new SeededRandom(Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) ^ seed);
}

/** One line, which `readScript` reads. */
export function writeScript(script: ClusterScript): string {
  const { sets, log, spaces, clients, network, faultsMs, events } = script;
  const { latencyMinMs, latencyMaxMs, lossBefore, lossAfter, duplicate } = network;
  const settings = [
    `sets=${sets.join(',')}`,
    ...[`log=${log}`, `spaces=${spaces}`],
    `clients=${Object.entries(clients)
      .map(([name, count]) => `${name}:${count}`)
      .join(',')}`,
    `network=${[latencyMinMs, latencyMaxMs, lossBefore, lossAfter, duplicate].join(',')}`,
    `for=${faultsMs}`,
  ];
  const faults = events.map(
    ({ atMs, kind, machine, wantsLeader, forMs, salt }) =>
      `${atMs} ${kind} ${wantsLeader ? '*' : ''}${machine} ${forMs} ${salt}`,
  );
  return [settings.join(' '), ...faults].join('; ');
}

export function readScript(text: string): ClusterScript {
  const [first = '', ...faults] = text.split(';').map((part) => part.trim());
  const settings = new Map(
    first.split(' ').map((setting) => {
      const [name = '', value = ''] = setting.split('=');
      return [name, value] as const;
    }),
  );
  const list = (name: string): readonly string[] => {
    const value = settings.get(name);
    if (value === undefined) throw new Error(`The script has no "${name}=".`);
    return value === '' ? [] : value.split(',');
  };
  const [latencyMinMs = 1, latencyMaxMs = 3, lossBefore = 0, lossAfter = 0, duplicate = 0] =
    list('network').map(Number);
  return {
    sets: list('sets').map(Number),
    log: list('log')[0] === 'fsync' ? 'fsync' : 'write',
    spaces: list('spaces')[0] === 'plain' ? 'plain' : 'sync',
    clients: Object.fromEntries(
      list('clients').map((one) => {
        const [name = '', count] = one.split(':');
        return [name, Number(count)];
      }),
    ),
    network: { latencyMinMs, latencyMaxMs, lossBefore, lossAfter, duplicate },
    faultsMs: Number(list('for')[0]),
    events: faults.map(readEvent),
  };
}

function readEvent(text: string): FaultEvent {
  const [at, kind = '', machine = '', forMs, salt] = text.split(' ');
  const event = {
    ...{ atMs: Number(at), kind, machine: machine.replace('*', '') },
    ...{ wantsLeader: machine.startsWith('*'), forMs: Number(forMs), salt: Number(salt) },
  };
  if (Number.isNaN(event.atMs + event.forMs + event.salt)) {
    throw new Error(`A fault is "AT KIND MACHINE FOR SALT", not "${text}".`);
  }
  return event;
}
