/** The servers that suites measure beside each other, by what tables call them. */
import { freePorts } from '../support/ports.ts';
import type { Session } from './session.ts';
import { Redis } from './targets/redis.ts';
import { Tarantool } from './targets/tarantool.ts';
import type { Target } from './targets/target.ts';
import { Tonearm } from './targets/tonearm.ts';

export type TargetId = 'ours' | 'tarantool-tree' | 'tarantool-hash' | 'redis';

export const titles: Readonly<Record<TargetId, string>> = {
  ours: 'Tonearm',
  'tarantool-tree': 'Tarantool TREE',
  'tarantool-hash': 'Tarantool HASH',
  redis: 'Redis',
};

/** Undefined when it does not take part. */
export async function buildTarget(
  session: Session,
  id: TargetId,
  logMode: 'write' | 'fsync',
  rows = session.options.rows,
): Promise<Target | undefined> {
  const competitor =
    id === 'ours' ? ('tonearm' as const) : id === 'redis' ? ('redis' as const) : 'tarantool';
  if (!session.takesPart(competitor)) return undefined;
  const ports = await freePorts(2);
  const [port = 0] = ports;
  const folder = session.newFolder();
  const name = logMode === 'write' ? titles[id] : `${titles[id]} ${logMode}`;
  const rowsMax = rowsMaxOf(session, rows);
  switch (id) {
    case 'ours':
      return new Tonearm({ name, ports, folder, logMode, rowsMax });
    case 'redis':
      return new Redis({ name, port, folder, appendFile: 'everysec' });
    case 'tarantool-tree':
    case 'tarantool-hash': {
      const primaryIndex = id === 'tarantool-tree' ? 'TREE' : 'HASH';
      return new Tarantool({ name, port, folder, primaryIndex, logMode, rowsMax });
    }
  }
}

/** Tonearm whose followers join later, or never. */
export async function buildLeader(session: Session, application?: string): Promise<Tonearm> {
  return new Tonearm({
    name: titles.ours,
    ports: await freePorts(4),
    folder: session.newFolder(),
    logMode: 'write',
    rowsMax: rowsMaxOf(session),
    hasFollowersLater: true,
    ...(application === undefined ? {} : { application }),
  });
}

/** The measurements themselves insert too: all shapes together at most so many in a second of one round. */
const INSERTED_PER_SECOND = 1_000_000;

export function rowsMaxOf({ options }: Session, rows = options.rows): number {
  return Math.ceil(1.2 * rows + options.rounds * options.seconds * INSERTED_PER_SECOND);
}
