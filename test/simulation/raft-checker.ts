/**
 * What must hold in a replica set that elects its leaders, beside what must hold in any.
 *
 * The one loss that the rules allow: when fewer than a majority have a log that is known to be whole, all must vote,
 * the longest log leads, and what was acknowledged beyond it is gone.
 */
import type { Position } from '../../runtime/src/contract/instance-status.ts';
import type { VoteRequest } from '../../runtime/src/core/failover/raft-election.ts';
import type { VoteAnswer } from '../../runtime/src/core/failover/raft-messages.ts';
import { comparePositions } from '../../runtime/src/core/failover/seats.ts';
import type { PullAnswer } from '../../runtime/src/core/replication/messages.ts';
import type { RaftRecord } from '../../runtime/src/services/raft-file.ts';
import type { Exchange } from '../../runtime/src/testing/simulated-peers.ts';
import { ReplicaSetChecker } from './cluster-checker.ts';
import { endOf, idsIn, type LogBatch, logOf, promisedOn } from './cluster-logs.ts';
import type { Machine } from './cluster-machine.ts';
import type { SimulatedSet } from './cluster-set.ts';

export class RaftChecker extends ReplicaSetChecker {
  readonly #options: SimulatedSet;
  readonly #votes = new Map<string, string>();
  readonly #records = new WeakMap<Uint8Array, RaftRecord>();
  /** By term, the last row that its leader has called acknowledged. */
  readonly #toldAcknowledged = new Map<number, Position>();
  /** Fewer than a majority were sound at some moment since the last leader began. */
  #isInDoubt = true;

  constructor(options: SimulatedSet) {
    super(options);
    this.#options = options;
  }

  override moment(writable: readonly Machine[]): void {
    super.moment(writable);
    if (!this.#isInDoubt && !this.#isMajoritySound()) this.#isInDoubt = true;
  }

  override leads(machine: Machine): void {
    const log = logOf(machine.disk);
    if (this.#isInDoubt) this.#afterDoubt(machine, log);
    this.#isInDoubt = !this.#isMajoritySound();
    super.leads(machine);
    for (const position of this.#toldAcknowledged.values()) {
      if (hasRow(log, position)) continue;
      const place = `${position.term}/${position.sequence}`;
      this.#options.violate(
        `${machine.uuid.slice(-2)} leads without the acknowledged row ${place}`,
      );
    }
  }

  override exchanged(exchange: Exchange): void {
    super.exchanged(exchange);
    if (!this.machines.some(({ uuid }) => uuid === exchange.to)) return;
    if (exchange.method === 'leadership.vote') this.#voted(exchange);
    if (exchange.method !== 'replication.pull') return;
    const { acknowledged } = exchange.answer as PullAnswer;
    const known = this.#toldAcknowledged.get(acknowledged.term);
    if (acknowledged.sequence > (known?.sequence ?? 0)) {
      this.#toldAcknowledged.set(acknowledged.term, acknowledged);
    }
  }

  override whatIsMissing(): string | undefined {
    if (!this.machines.some(({ isWritable }) => isWritable)) return 'nobody is writable';
    const doubtful = this.machines.find((machine) => !this.#isSound(machine));
    if (doubtful !== undefined) return `${doubtful.uuid.slice(-2)} was not caught up`;
    const ends = this.machines.map(({ disk }) => endOf(logOf(disk)));
    const [first] = ends;
    if (first !== undefined && ends.some((end) => comparePositions(end, first) !== 0)) {
      return `the logs end at ${ends.map(({ term, sequence }) => `${term}/${sequence}`).join(' ')}`;
    }
    return undefined;
  }

  /** Once in a term, and on the disk before it is said. */
  #voted({ to, body, answer }: Exchange): void {
    const { kind, term, candidate } = body as VoteRequest;
    const { isGranted } = answer as VoteAnswer;
    const machine = this.machines.find(({ uuid }) => uuid === to);
    if (kind !== 'vote' || !isGranted || machine === undefined) return;
    const { violate, count } = this.#options;
    count('votes');
    const record = this.#recordOf(machine);
    const isStored = record?.term === term && record.votedFor === candidate;
    if (promisedOn(machine.disk) < term || !isStored) {
      violate(`${to.slice(-2)} voted in term ${term} before that was stored`);
    }
    const before = this.#votes.get(`${to} ${term}`) ?? candidate;
    if (before !== candidate) violate(`${to.slice(-2)} voted twice in term ${term}`);
    this.#votes.set(`${to} ${term}`, candidate);
  }

  #afterDoubt(leader: Machine, log: readonly LogBatch[]): void {
    const { violate, note, count } = this.#options;
    const ids = idsIn(log);
    const lost = [...this.acknowledged].filter((id) => !ids.has(id));
    this.#toldAcknowledged.clear();
    this.#options.allSeatsLost();
    if (lost.length === 0) return;
    const longer = this.machines.find(
      ({ disk }) => comparePositions(endOf(logOf(disk)), endOf(log)) > 0,
    );
    if (longer !== undefined) violate(`${longer.uuid.slice(-2)} has a longer log than the leader`);
    this.forget(lost);
    count('rows lost in doubt', lost.length);
    note(`${leader.uuid.slice(-2)} leads after doubt: ${lost.length} acknowledged rows are lost`);
  }

  #isMajoritySound(): boolean {
    const sound = this.machines.filter((machine) => this.#isSound(machine));
    return sound.length * 2 > this.machines.length;
  }

  #isSound(machine: Machine): boolean {
    return this.#recordOf(machine)?.soundIncarnation === machine.logIncarnation;
  }

  /** Looked at after every event, and seldom another. */
  #recordOf({ disk }: Machine): RaftRecord | undefined {
    const bytes = disk.peek('raft.json');
    if (bytes === undefined) return undefined;
    const known = this.#records.get(bytes);
    if (known !== undefined) return known;
    const record = JSON.parse(new TextDecoder().decode(bytes)) as RaftRecord;
    this.#records.set(bytes, record);
    return record;
  }
}

function hasRow(log: readonly LogBatch[], { term, sequence }: Position): boolean {
  return log.some(
    (batch) =>
      batch.term === term &&
      batch.firstSequence <= sequence &&
      sequence < batch.firstSequence + batch.rowCount,
  );
}
