/**
 * Fetches a config that was committed without this instance: the provider's head names it, a peer has it.
 *
 * The head is trusted for *which* config, a peer only for its bytes: version and checksum must be those of the head.
 * A head that is older than the active config, or gone, means that the provider has forgotten. It is put back only when
 * every enabled peer has said what it holds, so that the newest committed config is the one that is put back.
 */
import { type ClusterConfig, clusterConfigSchema } from '../contract/cluster-config.ts';
import type { Issue } from '../contract/instance-status.ts';
import type { ConfigHead } from '../contract/provider-records.ts';
import type { Participant } from '../contract/two-phase.ts';
import { checksumSections, sameVersion, versionOf } from '../core/config/apply-patch.ts';
import { enabledParticipants, topologyOf } from '../core/config/read-sections.ts';
import { ClusterError } from '../core/errors.ts';
import type { Clock } from '../foundation/clock.ts';
import type { Logger } from '../foundation/logger.ts';
import type { ConfigDecisions, StoredHead } from './config-decisions.ts';
import type { ConfigParticipant } from './config-participant.ts';
import type { CallPeer } from './config-resolver.ts';
import { isProviderTrouble } from './stored-records.ts';

export interface ConfigCatchUpOptions {
  readonly uuid: string;
  readonly participant: ConfigParticipant;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly call: CallPeer;
  readonly everyMs: number;
  readonly decisionsOf: (config: ClusterConfig) => ConfigDecisions | undefined;
}

const LOOK_EVERY_MS = 1000;
/** Until a look has shown that nothing was missed: one that is cut off from the provider may miss a change. */
const UNSETTLED_MS = 5000;

export class ConfigCatchUp {
  readonly #options: ConfigCatchUpOptions;
  #lookedMs = 0;
  #isSettled = false;
  #soon = true;
  #behind: string | undefined;

  constructor(options: ConfigCatchUpOptions) {
    this.#options = options;
  }

  lookSoon(): void {
    this.#soon = true;
  }

  issues(): readonly Issue[] {
    if (this.#behind === undefined) return [];
    return [{ level: 'warning', topic: 'config_behind', message: this.#behind }];
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, everyMs } = this.#options;
    for (;;) {
      await clock.sleep(Math.min(LOOK_EVERY_MS, everyMs), signal);
      const restMs = this.#isSettled ? everyMs : UNSETTLED_MS;
      if (!this.#soon && clock.monotonicMs() - this.#lookedMs < restMs) continue;
      this.#soon = false;
      this.#lookedMs = clock.monotonicMs();
      await this.#look(signal);
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    this.#isSettled = false;
    const { active, lock } = this.#options.participant.state;
    if (active === undefined || lock !== undefined) return;
    const decisions = this.#options.decisionsOf(active);
    if (decisions === undefined) return;
    try {
      await this.#compare(active, decisions, signal);
      this.#isSettled = this.#behind === undefined;
    } catch (error) {
      // A provider that does not answer says nothing; the next look may.
      if (!isProviderTrouble(error)) throw error;
      this.#options.logger.debug({ error }, 'the head of the config could not be read');
      // One that holds what cannot be read needs somebody's hand, and until then the config stays what it is.
      if (error instanceof ClusterError) this.#behind = error.message;
    }
  }

  async #compare(
    active: ClusterConfig,
    decisions: ConfigDecisions,
    signal: AbortSignal,
  ): Promise<void> {
    const found = await decisions.readHead();
    const { head } = found;
    const own = versionOf(active);
    if (head === undefined || head.config.version < own.version) {
      await this.#restore(active, { decisions, found }, signal);
    } else if (head.config.version > own.version) {
      await this.#fetch(active, head, signal);
    } else {
      this.#behind = undefined;
    }
  }

  async #fetch(active: ClusterConfig, head: ConfigHead, signal: AbortSignal): Promise<void> {
    for (const peer of this.#peers(active)) {
      const answer = await this.#ask(peer, signal);
      if (answer.kind !== 'config') continue;
      const { config } = answer;
      const isHead =
        sameVersion(versionOf(config), head.config) &&
        checksumSections(config.sections) === head.config.checksum;
      if (!isHead) continue;
      await this.#options.participant.request({ kind: 'catch-up', config });
      this.#behind = undefined;
      const version = head.config.version;
      this.#options.logger.info({ version, peer: peer.uuid }, 'caught up with the cluster config');
      return;
    }
    this.#behind =
      `Version ${head.config.version} of the cluster config was committed, this instance has version ` +
      `${active.meta.version}, and no peer that has the newer one can be reached.`;
  }

  async #restore(
    active: ClusterConfig,
    { decisions, found }: { readonly decisions: ConfigDecisions; readonly found: StoredHead },
    signal: AbortSignal,
  ): Promise<void> {
    let newest = active;
    for (const peer of this.#peers(active)) {
      const answer = await this.#ask(peer, signal);
      if (answer.kind === 'silent') {
        this.#behind =
          'The state provider has lost the head of the cluster config. It is put back as soon as every instance ' +
          `has said what it holds; ${peer.uuid} does not answer.`;
        return;
      }
      if (answer.kind === 'config' && answer.config.meta.version > newest.meta.version) {
        newest = answer.config;
      }
    }
    const isRestored = await decisions.restoreHead(newest, found);
    this.#behind = undefined;
    const { version } = newest.meta;
    this.#options.logger.warn({ version, isRestored }, 'the state provider had lost the head');
  }

  async #ask(
    peer: Participant,
    signal: AbortSignal,
  ): Promise<{ kind: 'config'; config: ClusterConfig } | { kind: 'none' } | { kind: 'silent' }> {
    try {
      const answer = await this.#options.call(peer, 'config.get', {}, signal);
      return { kind: 'config', config: clusterConfigSchema.parse(answer) };
    } catch (error) {
      // A peer without a config says so; any other failure says nothing.
      const isEmpty = error instanceof ClusterError && error.code === 'CONFIG_MISSING';
      return { kind: isEmpty ? 'none' : 'silent' };
    }
  }

  #peers(active: ClusterConfig): readonly Participant[] {
    return enabledParticipants(topologyOf(active)).filter(
      (participant) => participant.uuid !== this.#options.uuid,
    );
  }
}
