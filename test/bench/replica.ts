/** A replica of Tarantool, which follows asynchronously. */
import { freePorts } from '../support/ports.ts';
import { rowsMaxOf } from './build-target.ts';
import type { Session } from './session.ts';
import type { Subject } from './subject.ts';
import { Tarantool } from './targets/tarantool.ts';

/** Resolves when it answers with rows of the leader, whichever are asked for. */
export async function addReplica(session: Session, leader: Subject): Promise<Tarantool> {
  const [port = 0] = await freePorts(1);
  const replica = new Tarantool({
    name: `replica of ${leader.target.name}`,
    port,
    folder: session.newFolder(),
    ...{ primaryIndex: 'TREE', logMode: 'write', rowsMax: rowsMaxOf(session) },
    leaderPort: leader.target.address.port,
  });
  try {
    await replica.start();
    await leader.untilRowsAnswer(replica.address);
  } catch (error) {
    await replica.kill();
    throw error;
  }
  return replica;
}
