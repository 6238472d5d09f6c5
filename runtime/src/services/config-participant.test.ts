import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { NO_CONFIG, type Sections } from '../contract/cluster-config.ts';
import type { PrepareAnswer } from '../contract/two-phase.ts';
import { buildConfig } from '../core/config/apply-patch.ts';
import { type ParticipantOutcome, SAFE_RULES } from '../core/config/participant-state.ts';
import { silentLogger } from '../foundation/logger.ts';
import { type AnyRole, defineRole } from '../role/define-role.ts';
import type { RoleContext } from '../role/role-context.ts';
import { SeededRandom } from '../testing/seeded-random.ts';
import { SimulatedClock } from '../testing/simulated-clock.ts';
import { SimulatedDisk } from '../testing/simulated-disk.ts';
import type { ConfigDecisions } from './config-decisions.ts';
import { ConfigParticipant } from './config-participant.ts';
import { ConfigStore } from './config-store.ts';
import { RoleHost } from './role-host.ts';

const SELF = '11111111-1111-4111-a111-111111111111';
const SET = 'dddddddd-dddd-4ddd-addd-dddddddddddd';

const PROVIDER = { kind: 'stateboard', uri: 'board:4401', prefix: '/t', password: '' };

interface StoryOptions {
  readonly roles?: readonly AnyRole[];
  /** Who keeps the decisions; without it the participants themselves. */
  readonly decisionsOf?: () => ConfigDecisions;
}

/** One instance that takes part in changes; its roles have their say. */
class Story {
  readonly clock = new SimulatedClock();
  readonly participant: ConfigParticipant;
  readonly #hasProvider: boolean;
  #changes = 0;

  private constructor({ roles = [], decisionsOf }: StoryOptions) {
    const { clock } = this;
    this.#hasProvider = decisionsOf !== undefined;
    const host = new RoleHost({
      roles,
      clock,
      logger: silentLogger,
      makeContext: (scope) => ({ signal: scope.signal }) as RoleContext,
    });
    const asked = roles.map(({ name }) => name);
    this.participant = new ConfigParticipant({
      self: { uuid: SELF, clusterUuid: SELF },
      store: new ConfigStore(
        new SimulatedDisk({ clock, random: new SeededRandom(1), latencyMs: 0 }).mount(),
      ),
      rules: SAFE_RULES,
      validate: ({ sections }, previous) => host.validate({ sections, asked }, previous?.sections),
      decisionsOf: decisionsOf ?? (() => undefined),
      onInstalled: () => undefined,
      onFailure: (error) => assert.fail(String(error)),
    });
  }

  static async start(options: StoryOptions): Promise<Story> {
    const story = new Story(options);
    await story.#wait(story.participant.load());
    return story;
  }

  async prepare(patch: Sections): Promise<PrepareAnswer> {
    const { active } = this.participant.state;
    const server = { uri: 'a:1', http_uri: 'a:2', alias: 'a', replicaset_uuid: SET };
    const replicaSet = { alias: 'set', failover_priority: [SELF] };
    const topology = {
      servers: { [SELF]: server },
      replicasets: { [SET]: replicaSet },
      failover: this.#hasProvider ? { state_provider: PROVIDER } : {},
    };
    this.#changes += 1;
    const change = {
      changeId: String(this.#changes).padStart(64, '0'),
      clusterUuid: SELF,
      base: active?.meta ?? NO_CONFIG,
      authority: this.#hasProvider ? 'provider' : 'participants',
      participants: [{ uuid: SELF, httpUri: 'a:2' }],
      author: 'admin',
      message: '',
      time: '',
    } as const;
    const wanted = { topology, ...patch };
    const { meta } = buildConfig({ ...active?.sections, ...wanted }, change);
    const result = { version: meta.version, checksum: meta.checksum };
    const request = { change: { ...change, participants: [...change.participants] }, result };
    const outcome: ParticipantOutcome = await this.#wait(
      this.participant.request({ kind: 'prepare', request: { ...request, patch: wanted } }),
    );
    return outcome.kind === 'prepare-answer' ? outcome.answer : assert.fail(outcome.kind);
  }

  /** Time runs until there is an outcome; fails when nothing is left that could bring one. */
  async #wait<T>(work: Promise<T>): Promise<T> {
    const settled = new AbortController();
    const outcome = work.finally(() => settled.abort());
    outcome.catch(() => undefined);
    for (let step = 0; step < 1000 && !settled.signal.aborted; step++) await this.clock.next();
    assert.ok(settled.signal.aborted, 'it comes to an end');
    return outcome;
  }
}

describe('ConfigParticipant', () => {
  it('refuses for a role that does not answer, and goes on with the next change', async () => {
    const role = defineRole<{ hang?: boolean } | undefined>({
      name: 'app.slow',
      validateConfig: (next) => (next?.hang === true ? new Promise(() => undefined) : undefined),
    });
    const story = await Story.start({ roles: [role] });
    const hanging = await story.prepare({ 'app.slow': { hang: true } });
    assert.ok(hanging.kind === 'refused');
    assert.deepEqual(
      [hanging.refusal.code, hanging.refusal.field],
      ['CONFIG_INVALID', 'sections.app.slow'],
    );
    assert.match(hanging.refusal.message, /role "app.slow" did not answer in time/);
    assert.deepEqual(await story.prepare({ 'app.slow': {} }), { kind: 'prepared' });
  });

  it('is free for the next request when one has failed', async () => {
    const story = await Story.start({
      decisionsOf: () => {
        throw new Error('the password file is missing');
      },
    });
    await assert.rejects(story.prepare({ color: 'red' }), /the password file is missing/);
    assert.ok(story.participant.state.lock !== undefined);
    const other = await story.prepare({ color: 'blue' });
    assert.ok(other.kind === 'refused');
    assert.equal(other.refusal.code, 'CONFIG_LOCKED');
  });
});
