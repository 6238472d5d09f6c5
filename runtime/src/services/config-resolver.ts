/**
 * Settles a config lock whose coordinator has gone: after a wait in which nobody asked, or at once when told to look.
 *
 * With a state provider it writes `abort` there unless something was decided, and obeys what is stored. Without one it
 * asks all participants; one that has never seen the change is told to refuse it for ever, which makes it answer.
 */
import type { Issue } from '../contract/instance-status.ts';
import { changeStateSchema, type Participant } from '../contract/two-phase.ts';
import type { ParticipantView } from '../core/config/decisions.ts';
import type { Lock } from '../core/config/participant-state.ts';
import type { Clock } from '../foundation/clock.ts';
import type { Logger } from '../foundation/logger.ts';
import type { Random } from '../foundation/random.ts';
import type { ConfigParticipant } from './config-participant.ts';

export type CallPeer = (
  to: Participant,
  method: string,
  body: unknown,
  signal: AbortSignal,
) => Promise<unknown>;

export interface ConfigResolverOptions {
  readonly uuid: string;
  readonly participant: ConfigParticipant;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly call: CallPeer;
  readonly afterMs: number;
}

const LOOK_EVERY_MS = 1000;

export class ConfigResolver {
  readonly #options: ConfigResolverOptions;
  #changeId = '';
  #heardMs = 0;
  #waitMs = 0;
  /** Why the last try settled nothing. */
  #stuck: string | undefined;
  #soon = false;

  constructor(options: ConfigResolverOptions) {
    this.#options = options;
  }

  /** Somebody still works on the change. */
  heard(changeId: string): void {
    const { clock, random, afterMs, participant } = this.#options;
    // Rivals that meet the lock must not keep it for ever.
    const held = participant.state.lock?.change.changeId;
    if (held !== undefined && held !== changeId) return;
    this.#changeId = changeId;
    this.#heardMs = clock.monotonicMs();
    // Spread, so that the participants do not all ask each other at once.
    this.#waitMs = afterMs * (1 + random.fraction() / 2);
  }

  /** The change has been given up elsewhere: no need to wait. */
  lookSoon(changeId: string): void {
    if (this.#options.participant.state.lock?.change.changeId === changeId) this.#soon = true;
  }

  issues(): readonly Issue[] {
    const { lock } = this.#options.participant.state;
    if (lock === undefined || this.#stuck === undefined) return [];
    const message =
      `Change ${lock.change.changeId.slice(0, 12)} of the cluster config by "${lock.change.author}" is prepared ` +
      `here and cannot be settled: ${this.#stuck}.`;
    return [{ level: 'warning', topic: 'config_locked', message }];
  }

  async run(signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#options.clock.sleep(LOOK_EVERY_MS, signal);
      const { lock } = this.#options.participant.state;
      if (lock === undefined) this.#stuck = undefined;
      else if (this.#isDue(lock)) await this.#resolve(lock, signal);
    }
  }

  #isDue(lock: Lock): boolean {
    if (lock.change.changeId !== this.#changeId) this.heard(lock.change.changeId);
    const isDue = this.#soon || this.#options.clock.monotonicMs() - this.#heardMs >= this.#waitMs;
    this.#soon = false;
    return isDue;
  }

  async #resolve(lock: Lock, signal: AbortSignal): Promise<void> {
    const { changeId, authority } = lock.change;
    const views = authority === 'participants' ? await this.#askAll(lock, signal) : [];
    const outcome = await this.#options.participant.request({ kind: 'resolve', changeId, views });
    this.#stuck = outcome.kind === 'failed' ? outcome.reason : undefined;
    const fields =
      outcome.kind === 'state' ? { changeId, state: outcome.state.state } : { changeId, outcome };
    this.#options.logger.info(fields, 'looked after a config lock that nobody asked about');
  }

  #askAll(lock: Lock, signal: AbortSignal): Promise<readonly ParticipantView[]> {
    return Promise.all(
      lock.change.participants.map((participant) => this.#ask(lock, participant, signal)),
    );
  }

  async #ask(lock: Lock, participant: Participant, signal: AbortSignal): Promise<ParticipantView> {
    const { uuid } = participant;
    if (uuid === this.#options.uuid) return { uuid, state: 'prepared' };
    const body = { changeId: lock.change.changeId, reason: 'the others look for its outcome' };
    try {
      const first = changeStateSchema.parse(
        await this.#options.call(participant, 'twophase.state', body, signal),
      );
      if (first.state !== 'unknown') return { uuid, state: first.state };
      const second = changeStateSchema.parse(
        await this.#options.call(participant, 'twophase.abort', body, signal),
      );
      return { uuid, state: second.state };
    } catch (error) {
      // A peer that does not answer leaves the outcome open.
      this.#options.logger.debug({ uuid, error }, 'a participant did not say what it knows');
      return { uuid, state: 'unreachable' };
    }
  }
}
