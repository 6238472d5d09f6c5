/**
 * A follower's loop: asks the leader for the rows behind its own, for as long as another instance leads. It asks for the
 * next ones as soon as those of an answer are in its log, so that the question is under way while they are applied.
 *
 * It decides nothing about rows: what an answer means is the storage's matter. A change of leadership ends the
 * question that is under way, so that the next one goes to the new leader at once.
 */
import {
  type PullAnswer,
  type PullRequest,
  pullAnswerSchema,
  type SnapshotAnswer,
  snapshotAnswerSchema,
} from '../core/replication/messages.ts';
import type { Clock } from '../foundation/clock.ts';
import type { Logger } from '../foundation/logger.ts';
import type { Leadership, LeadershipPort } from '../ports/leadership.ts';
import { PeerError, type Peers } from '../ports/peers.ts';
import type { FetchPiece } from './snapshot-join.ts';
import { reseedInstance } from './snapshot-reseed.ts';
import type { StorageService } from './storage-service.ts';

export interface ReplicationServiceOptions {
  readonly storage: StorageService;
  readonly leadership: LeadershipPort;
  readonly peers: Peers;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The `http_uri` of an instance, as the cluster config has it now. */
  readonly addressOf: (uuid: string) => string | undefined;
  readonly limits?: Partial<ReplicationLimits>;
}

export interface ReplicationLimits {
  readonly waitMs: number;
  readonly timeoutMs: number;
  readonly firstBackoffMs: number;
  readonly lastBackoffMs: number;
}

export const defaultReplicationLimits: ReplicationLimits = {
  waitMs: 1000,
  timeoutMs: 3000,
  firstBackoffMs: 20,
  // A peer that is not reachable is asked again every second (REPL-03).
  lastBackoffMs: 1000,
};

/** A question that is under way; the answer is undefined when none of use came. */
interface Asked {
  readonly from: { readonly leader: string; readonly address: string };
  readonly request: PullRequest;
  readonly answer: Promise<PullAnswer | undefined>;
}

const PIECE_ATTEMPTS = 10;
const PIECE_BACKOFF_MS = 100;

export class ReplicationService {
  readonly #options: ReplicationServiceOptions;
  readonly #limits: ReplicationLimits;
  #backoffMs: number;

  constructor(options: ReplicationServiceOptions) {
    this.#options = options;
    this.#limits = { ...defaultReplicationLimits, ...options.limits };
    this.#backoffMs = this.#limits.firstBackoffMs;
  }

  /** Follows whoever leads, until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { leadership } = this.#options;
    while (!signal.aborted) {
      const ended = new AbortController();
      const stop = (): void => ended.abort(new Error('leadership changed, or the loop ends'));
      const stopListening = leadership.onChange(stop);
      signal.addEventListener('abort', stop, { once: true });
      try {
        await this.#follow(leadership.current(), ended.signal);
      } finally {
        stopListening();
        signal.removeEventListener('abort', stop);
      }
    }
  }

  /** Lays all rows aside and ends the process, to get a copy from the leader after its next start. */
  reseed(how: { readonly force: boolean }): Promise<void> {
    const { storage } = this.#options;
    const { seat, replicaSetUuid, copies } = storage;
    return reseedInstance({ ...this.#options, seat, replicaSetUuid, copies }, how);
  }

  async #follow(current: Leadership, signal: AbortSignal): Promise<void> {
    this.#backoffMs = this.#limits.firstBackoffMs;
    let asked: Asked | undefined;
    while (!signal.aborted) {
      if (current.kind === 'follower') asked ??= await this.#askFirst(current, signal);
      const taken = asked === undefined ? undefined : await this.#take(asked, signal);
      asked = taken?.next;
      if (taken === undefined) await this.#backOff(signal);
      else this.#backoffMs = this.#limits.firstBackoffMs;
    }
  }

  async #askFirst(
    { term, leader }: { readonly term: number; readonly leader: string },
    signal: AbortSignal,
  ): Promise<Asked | undefined> {
    const address = this.#options.addressOf(leader);
    const request = await this.#options.storage.pullRequest(term, this.#limits.waitMs);
    if (address === undefined || request === undefined || signal.aborted) return undefined;
    return this.#ask({ leader, address }, request, signal);
  }

  /** Undefined when the leader could not be asked, or its answer was of no use. */
  async #take(asked: Asked, signal: AbortSignal): Promise<{ readonly next?: Asked } | undefined> {
    const { storage } = this.#options;
    const { request, from } = asked;
    const answer = await asked.answer;
    if (answer === undefined) return undefined;
    if (answer.kind === 'join') {
      const fetchPiece: FetchPiece = (name, offset) =>
        this.#fetch({ address: from.address, request, signal }, name, offset);
      return (await storage.copies.join(request, fetchPiece)) ? {} : undefined;
    }
    let next: Asked | undefined;
    const isTaken = await storage.receive(request, answer, (following) => {
      if (!signal.aborted) next = this.#ask(from, following, signal);
    });
    if (!isTaken) return undefined;
    return next === undefined ? {} : { next };
  }

  /**
   * A piece of a snapshot that does not come is asked for again some times: without it all pieces before were in vain.
   * After that, the next question for rows begins anew.
   */
  async #fetch(
    from: {
      readonly address: string;
      readonly request: PullRequest;
      readonly signal: AbortSignal;
    },
    name: string | null,
    offset: number,
  ): Promise<SnapshotAnswer> {
    const { address, request, signal } = from;
    const { peers, logger, clock } = this.#options;
    const { replicaSetUuid, term, position } = request;
    const body = { replicaSetUuid, term, position, name, offset };
    const options = { timeoutMs: this.#limits.timeoutMs, signal };
    for (let left = PIECE_ATTEMPTS; ; left--) {
      try {
        const answer = await peers.call(address, 'replication.snapshot', body, options);
        return snapshotAnswerSchema.parse(answer);
      } catch (error) {
        if (!signal.aborted) logger.debug({ error }, 'the leader gave no piece of its snapshot');
        const isWorthIt = error instanceof PeerError && left > 1 && !signal.aborted;
        if (!isWorthIt) return { kind: 'later' };
        await clock.sleep(PIECE_BACKOFF_MS, signal).catch(() => undefined);
      }
    }
  }

  #ask(from: Asked['from'], request: PullRequest, signal: AbortSignal): Asked {
    const { peers, logger } = this.#options;
    const options = { timeoutMs: this.#limits.timeoutMs, signal };
    const { leader, address } = from;
    const answer = peers
      .call(address, 'replication.pull', request, options)
      .then((body) => pullAnswerSchema.parse(body))
      .catch((error: unknown) => {
        if (signal.aborted) return undefined;
        // A leader that is away is nothing new every second; an answer that cannot be read is.
        const level = error instanceof PeerError ? 'debug' : 'warn';
        logger[level]({ leader, error }, 'the leader gave no rows');
        return undefined;
      });
    return { from, request, answer };
  }

  async #backOff(signal: AbortSignal): Promise<void> {
    const delayMs = this.#backoffMs;
    this.#backoffMs = Math.min(delayMs * 2, this.#limits.lastBackoffMs);
    // It ends early when leadership changes, or when the loop ends.
    await this.#options.clock.sleep(delayMs, signal).catch(() => undefined);
  }
}
