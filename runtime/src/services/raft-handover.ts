/**
 * A planned change of leader in mode `raft`: freeze, let the successor have every row, lay down the lease, let it stand.
 *
 * From the moment when the successor is told, this instance leads its term no more, whatever comes of it: whoever votes
 * for the successor does so against its lease. If nobody takes over, the next election decides as after a crash.
 */
import type { Topology } from '../contract/cluster-config.ts';
import type { InstanceIdentity } from '../contract/identity.ts';
import type { Position } from '../contract/instance-status.ts';
import type { Seat } from '../contract/provider-records.ts';
import { ClusterError } from '../core/errors.ts';
import { addressOf, leaderOrder } from '../core/failover/leader-order.ts';
import { comparePositions, sameSeat } from '../core/failover/seats.ts';
import type { Clock } from '../foundation/clock.ts';
import type { Peers } from '../ports/peers.ts';
import { type SeatReport, seatReportSchema } from './handover-protocol.ts';
import type { KnownLeader } from './leadership-engine.ts';
import type { ReplicaSetStorage } from './replica-set-storage.ts';

export interface RaftHandoverOptions {
  readonly clock: Clock;
  readonly peers: Peers;
  readonly identity: InstanceIdentity;
  readonly replicaSetUuid: string;
  readonly storage: ReplicaSetStorage;
  /** How long rows may take to the successor, and the successor to lead. */
  readonly patienceMs: () => number;
  readonly seatOf: (uuid: string) => Seat | undefined;
  /** Lays down the lease, and gives the term that was led; undefined when it is not led any more. */
  readonly layDown: () => number | undefined;
  /** Who leads now; undefined while nobody is known to. */
  readonly leader: () => KnownLeader | undefined;
}

interface Successor {
  readonly seat: Seat;
  readonly address: string;
}

const POLL_MS = 10;

export class RaftHandover {
  readonly #options: RaftHandoverOptions;
  #running = false;

  constructor(options: RaftHandoverOptions) {
    this.#options = options;
  }

  async run(
    topology: Topology,
    target: string | undefined,
    signal: AbortSignal,
  ): Promise<KnownLeader> {
    if (this.#running) {
      throw new ClusterError('STATE_FORBIDS', { message: 'A handover is under way already.' });
    }
    const { storage } = this.#options;
    this.#running = true;
    let frozen = false;
    try {
      const successor = await this.#findSuccessor(topology, target, signal);
      frozen = true;
      const position = await storage.freeze();
      await this.#awaitPosition(successor, position, signal);
      return await this.#give(successor, signal);
    } finally {
      // Either nothing was given, or another term begins before this instance writes again.
      if (frozen) storage.thaw();
      this.#running = false;
    }
  }

  async #findSuccessor(
    topology: Topology,
    target: string | undefined,
    signal: AbortSignal,
  ): Promise<Successor> {
    const { replicaSetUuid, identity, seatOf } = this.#options;
    const candidates = leaderOrder(topology, replicaSetUuid).filter(
      ({ uuid, electable, disabled }) =>
        electable && !disabled && uuid !== identity.uuid && (target ?? uuid) === uuid,
    );
    if (target !== undefined && candidates.length === 0) {
      throw new ClusterError('NOT_FOUND', {
        message: `Instance ${target} is none that can take over in replica set ${replicaSetUuid}: it must be another one, enabled and electable.`,
        field: 'to',
      });
    }
    for (const { uuid } of candidates) {
      const address = addressOf(topology, uuid);
      if (address === undefined) continue;
      const report = await this.#report(address, signal);
      const known = seatOf(uuid);
      if (report === undefined || known === undefined || !sameSeat(known, report.seat)) continue;
      return { seat: known, address };
    }
    const wanted = target === undefined ? 'No instance' : `Instance ${target}`;
    throw new ClusterError('STATE_FORBIDS', {
      message: `${wanted} can take over now: it must be enabled, electable and reachable.`,
    });
  }

  /** All that was written is answered before leadership goes. */
  async #awaitPosition(
    { seat, address }: Successor,
    position: Position,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, patienceMs, storage } = this.#options;
    const endMs = clock.monotonicMs() + patienceMs();
    while (clock.monotonicMs() < endMs && !signal.aborted) {
      const report = await this.#report(address, signal);
      const isSame = report === undefined || sameSeat(report.seat, seat);
      if (!isSame) break;
      const isThere = report !== undefined && comparePositions(report.position, position) >= 0;
      if (isThere && storage.progress().acknowledged.sequence >= position.sequence) return;
      await clock.sleep(POLL_MS, signal).catch(() => undefined);
    }
    throw new ClusterError('STATE_FORBIDS', {
      message: `Instance ${seat.uuid} did not reach the leader's position in time, or started anew; leadership stays.`,
    });
  }

  async #give({ seat, address }: Successor, signal: AbortSignal): Promise<KnownLeader> {
    const { clock, peers, layDown, leader, patienceMs, replicaSetUuid } = this.#options;
    const term = layDown();
    if (term === undefined) throw new ClusterError('NOT_LEADER');
    const endMs = clock.monotonicMs() + patienceMs();
    const options = { timeoutMs: patienceMs(), signal };
    peers.call(address, 'leadership.stand', { replicaSetUuid, term }, options).catch(() => {
      // Whether it has stood shows by who leads.
    });
    while (clock.monotonicMs() < endMs && !signal.aborted) {
      const known = leader();
      if (known !== undefined && known.term > term) {
        if (known.uuid === seat.uuid) return known;
        break;
      }
      await clock.sleep(POLL_MS, signal).catch(() => undefined);
    }
    throw new ClusterError('STATE_FORBIDS', {
      message: `Instance ${seat.uuid} was not elected; another one leads, or will.`,
    });
  }

  async #report(address: string, signal: AbortSignal): Promise<SeatReport | undefined> {
    const { peers, replicaSetUuid, patienceMs } = this.#options;
    try {
      const options = { timeoutMs: patienceMs() / 2, signal };
      const answer = await peers.call(address, 'leadership.report', { replicaSetUuid }, options);
      return seatReportSchema.parse(answer);
    } catch {
      return undefined;
    }
  }
}
