/**
 * A planned change of leader, without a lost or doubtful write: freeze, let the successor reach the same position,
 * move leader, term and lease in one transaction.
 *
 * Once the transaction is sent the old deadline is void. If its outcome is unknown, this instance leads on only after
 * it has itself written the old lease record: from then on the transaction can no longer apply.
 */
import { z } from 'zod';
import type { Topology } from '../contract/cluster-config.ts';
import type { InstanceIdentity } from '../contract/identity.ts';
import { type Position, positionSchema } from '../contract/instance-status.ts';
import {
  type Appointment,
  appointmentSchema,
  type Lease,
  providerKeys,
  type Seat,
  seatSchema,
} from '../contract/provider-records.ts';
import { ClusterError } from '../core/errors.ts';
import { addressOf, leaderOrder } from '../core/failover/leader-order.ts';
import { sameSeat } from '../core/failover/seats.ts';
import type { Clock } from '../foundation/clock.ts';
import type { Logger } from '../foundation/logger.ts';
import type { Random } from '../foundation/random.ts';
import type { Peers } from '../ports/peers.ts';
import type { StateProvider } from '../ports/state-provider.ts';
import type { InSyncKeeper } from './in-sync-keeper.ts';
import type { LeaderMap, StoredAppointment } from './leader-map.ts';
import type { KnownLeader } from './leadership-engine.ts';
import type { LeaseKeeper, PreparedLease } from './lease-keeper.ts';
import type { ReplicaSetStorage } from './replica-set-storage.ts';
import { isProviderTrouble, parseRecord } from './stored-records.ts';

export interface HandoverOptions {
  readonly provider: StateProvider;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly peers: Peers;
  readonly identity: InstanceIdentity;
  readonly replicaSetUuid: string;
  readonly ttlMs: number;
  readonly storage: ReplicaSetStorage;
  readonly leaders: LeaderMap;
  readonly lease: LeaseKeeper;
  readonly inSync: InSyncKeeper;
}

export interface HandoverRequest {
  /** Any suitable instance when undefined. */
  readonly target: string | undefined;
  readonly reason: string;
  readonly signal: AbortSignal;
}

interface Successor {
  readonly seat: Seat;
  readonly address: string;
  readonly promisedTerm: number;
}

/** What an instance answers to `leadership.report`: how far its log is, and which seat that log may have. */
export const seatReportSchema = z.object({
  seat: seatSchema,
  position: positionSchema,
  promisedTerm: z.int(),
});
export type SeatReport = z.infer<typeof seatReportSchema>;

/** To `leadership.prepare`: once it has all rows, with what the lease record has to say of it. */
const prepareReportSchema = seatReportSchema.extend({
  lease: z.object({ incarnation: z.int(), nonce: z.string() }).optional(),
});
export type PrepareReport = z.infer<typeof prepareReportSchema>;

/** In `leadership.appointed`: what the state provider has stored, and where: the revisions of one client mean nothing to another. */
export const toldAppointmentSchema = z.strictObject({
  appointment: appointmentSchema,
  place: z.strictObject({ epoch: z.string(), revision: z.int().min(1) }),
  /** Of the lease that the successor had prepared. */
  nonce: z.string(),
});

interface Prepared {
  readonly term: number;
  readonly lease: PreparedLease;
}

const POLL_MS = 20;

export class HandoverProtocol {
  readonly #options: HandoverOptions;
  #running = false;

  constructor(options: HandoverOptions) {
    this.#options = options;
  }

  async run(topology: Topology, request: HandoverRequest): Promise<KnownLeader> {
    const { lease, clock, storage } = this.#options;
    if (lease.deadlineMs() <= clock.monotonicMs()) throw new ClusterError('NOT_LEADER');
    if (this.#running) {
      throw new ClusterError('STATE_FORBIDS', { message: 'A handover is under way already.' });
    }
    this.#running = true;
    let frozen = false;
    try {
      const successor = await this.#findSuccessor(topology, request);
      // Now, as it takes some time, and no write waits for it yet.
      await lease.recall();
      frozen = true;
      const position = await storage.freeze();
      const prepared = await this.#prepare(successor, position, request.signal);
      return await this.#move(successor, prepared, request);
    } finally {
      // Here nothing was sent, or this instance leads no more, or it has written the old record since.
      if (frozen) storage.thaw();
      this.#running = false;
    }
  }

  async #findSuccessor(topology: Topology, request: HandoverRequest): Promise<Successor> {
    const { replicaSetUuid, identity, inSync } = this.#options;
    const seats = inSync.stored?.appointment.inSync ?? [];
    const candidates = leaderOrder(topology, replicaSetUuid).filter(
      ({ uuid, electable, disabled }) =>
        uuid !== identity.uuid &&
        (request.target === undefined ? electable : uuid === request.target) &&
        !disabled,
    );
    for (const { uuid } of candidates) {
      const seat = seats.find((other) => other.uuid === uuid);
      const address = addressOf(topology, uuid);
      if (seat === undefined || address === undefined) continue;
      const report = await this.#report(address, request.signal);
      // One that has lost its seat would not begin the term, however far its log is.
      if (report === undefined || !sameSeat(report.seat, seat)) continue;
      return { seat, address, promisedTerm: report.promisedTerm };
    }
    const wanted = request.target === undefined ? 'No instance' : `Instance ${request.target}`;
    throw new ClusterError('STATE_FORBIDS', {
      message: `${wanted} can take over now: it must be enabled, in sync and reachable, and reach the state provider.`,
    });
  }

  /** Until the successor has all rows. Its lease counts from its last answer, so the transaction has to follow at once. */
  async #prepare(successor: Successor, position: Position, signal: AbortSignal): Promise<Prepared> {
    const { clock, ttlMs, lease } = this.#options;
    const { address, promisedTerm } = successor;
    const term = Math.max(lease.term ?? 0, promisedTerm) + 1;
    const endMs = clock.monotonicMs() + 1.5 * ttlMs;
    while (clock.monotonicMs() < endMs && !signal.aborted) {
      const report = await this.#askToPrepare(address, { term, position }, signal);
      if (report !== undefined && !sameSeat(report.seat, successor.seat)) break;
      if (report?.lease !== undefined) return { term, lease: report.lease };
      await clock.sleep(POLL_MS, signal).catch(() => undefined);
    }
    throw new ClusterError('STATE_FORBIDS', {
      message: `Instance ${successor.seat.uuid} did not reach the leader's position in time, or lost its seat; leadership stays.`,
    });
  }

  /** With no other write of the two records under way. */
  #move(successor: Successor, prepared: Prepared, request: HandoverRequest): Promise<KnownLeader> {
    const { inSync, lease } = this.#options;
    return inSync.exclusive(() =>
      lease.exclusive(async () => {
        // Only what is known of the record can be compared.
        if (!lease.isKnown) await lease.renew(request.signal);
        const { stored } = inSync;
        const { term, revision } = lease;
        const seat = stored?.appointment.inSync.find((other) => sameSeat(other, successor.seat));
        if (term === undefined || revision === undefined || stored?.appointment.term !== term) {
          throw new ClusterError('NOT_LEADER');
        }
        if (seat === undefined || !inSync.settled || prepared.term <= term) {
          throw new ClusterError('STATE_FORBIDS', {
            message: 'The in-sync members changed meanwhile; leadership stays. Try again.',
          });
        }
        const appointment: Appointment = {
          v: 1,
          term: prepared.term,
          leader: seat.uuid,
          inSync: [seat, ...stored.appointment.inSync.filter((other) => !sameSeat(other, seat))],
          reason: request.reason,
        };
        const compare = { lease: revision, leader: stored.revision };
        const { address } = successor;
        return this.#send(appointment, compare, { ...request, address, lease: prepared.lease });
      }),
    );
  }

  async #send(
    appointment: Appointment,
    compare: { readonly lease: number; readonly leader: number },
    successor: {
      readonly address: string;
      readonly lease: PreparedLease;
      readonly signal: AbortSignal;
    },
  ): Promise<KnownLeader> {
    const { provider, lease, leaders, replicaSetUuid, ttlMs } = this.#options;
    const { signal } = successor;
    const { term, leader } = appointment;
    const record: Lease = {
      ...{ v: 1, term, holder: leader, released: false },
      ...successor.lease,
    };
    const keys = {
      lease: providerKeys.lease(replicaSetUuid),
      leader: providerKeys.leader(replicaSetUuid),
    };
    lease.void();
    try {
      const outcome = await provider.transact(
        {
          compare: [
            { key: keys.lease, revision: compare.lease },
            { key: keys.leader, revision: compare.leader },
          ],
          writes: [
            { kind: 'put', key: keys.leader, value: JSON.stringify(appointment) },
            { kind: 'put', key: keys.lease, value: JSON.stringify(record) },
          ],
        },
        { timeoutMs: ttlMs / 2, signal },
      );
      if (outcome.kind === 'applied') {
        const stored = { appointment, revision: outcome.revision };
        this.#tell(successor, stored).catch(() => undefined);
        lease.drop(`term ${term} was handed to ${leader}`);
        leaders.set(replicaSetUuid, stored);
        return { uuid: leader, term };
      }
    } catch (error) {
      if (!isProviderTrouble(error)) throw error;
    }
    return this.#settle(appointment, signal);
  }

  /** The successor would hear of it from the state provider too, but later. */
  async #tell(
    successor: {
      readonly address: string;
      readonly lease: PreparedLease;
      readonly signal: AbortSignal;
    },
    { appointment, revision }: StoredAppointment,
  ): Promise<void> {
    const { provider, peers, replicaSetUuid, ttlMs } = this.#options;
    const { address, signal, lease } = successor;
    const place = await provider.placeOf(revision);
    const body = { replicaSetUuid, appointment, place, nonce: lease.nonce };
    const options = { timeoutMs: ttlMs / 2, signal };
    await peers.call(address, 'leadership.appointed', body, options);
  }

  /** Renews the old record, or learns that it is lost. */
  async #settle(appointment: Appointment, signal: AbortSignal): Promise<KnownLeader> {
    const { lease, clock, ttlMs, logger } = this.#options;
    while (!signal.aborted) {
      try {
        await lease.renew(signal);
      } catch (error) {
        if (!isProviderTrouble(error)) throw error;
        logger.warn({ error }, 'the outcome of a handover is not known yet');
      }
      if (lease.term === undefined) return this.#whoLeads(appointment, signal);
      if (Number.isFinite(lease.deadlineMs())) break;
      await clock.sleep(ttlMs / 10, signal).catch(() => undefined);
    }
    throw new ClusterError('STATE_FORBIDS', {
      message: 'The state provider did not take the handover; leadership stays. Try again.',
    });
  }

  /** The old lease is lost: to this handover, or to another appointment. */
  async #whoLeads(wanted: Appointment, signal: AbortSignal): Promise<KnownLeader> {
    const { provider, replicaSetUuid, ttlMs } = this.#options;
    const key = providerKeys.leader(replicaSetUuid);
    const entry = await provider.get(key, { timeoutMs: ttlMs, signal });
    const found = entry && parseRecord(entry, appointmentSchema);
    if (found?.leader === wanted.leader) return { uuid: found.leader, term: found.term };
    throw new ClusterError('STATE_FORBIDS', {
      message: 'Another appointment was made meanwhile; this instance does not lead any more.',
    });
  }

  async #report(address: string, signal: AbortSignal): Promise<SeatReport | undefined> {
    const answer = await this.#ask(address, 'leadership.report', { probe: true }, signal);
    return seatReportSchema.safeParse(answer).data;
  }

  async #askToPrepare(
    address: string,
    body: { readonly term: number; readonly position: Position },
    signal: AbortSignal,
  ): Promise<PrepareReport | undefined> {
    const answer = await this.#ask(address, 'leadership.prepare', body, signal);
    return prepareReportSchema.safeParse(answer).data;
  }

  /** Undefined when there was no answer. */
  #ask(address: string, method: string, body: object, signal: AbortSignal): Promise<unknown> {
    const { peers, ttlMs, replicaSetUuid } = this.#options;
    const options = { timeoutMs: ttlMs / 4, signal };
    return peers.call(address, method, { replicaSetUuid, ...body }, options).catch(() => undefined);
  }
}
