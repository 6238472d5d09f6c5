/**
 * Runs the stories of `participant*.txt` against the participant machine of the two-phase change.
 *
 * A step is a line, `----`, and what the machine then wants. Changes have letters, instances names: `A`, `me`, `you`.
 * What the machine wants stored goes through the real config store to a simulated disk, so that a crash can be told:
 * before the effect was durable (`crash`), or after (`crash after it is stored`). `UPDATE_SCENARIOS=1` writes the output
 * anew, to be reviewed as prose.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import type { ClusterConfig, Sections } from '../../runtime/src/contract/cluster-config.ts';
import type { Json } from '../../runtime/src/contract/json.ts';
import type { Change, PrepareRequest } from '../../runtime/src/contract/two-phase.ts';
import { buildConfig, versionOf } from '../../runtime/src/core/config/apply-patch.ts';
import type { ParticipantView } from '../../runtime/src/core/config/decisions.ts';
import type {
  ParticipantEffect,
  ParticipantEvent,
  ParticipantState,
  ParticipantStep,
} from '../../runtime/src/core/config/participant-state.ts';
import {
  changeState,
  startParticipant,
  stepParticipant,
} from '../../runtime/src/core/config/two-phase-participant.ts';
import { ConfigStore } from '../../runtime/src/services/config-store.ts';
import { SeededRandom } from '../../runtime/src/testing/seeded-random.ts';
import { SimulatedClock } from '../../runtime/src/testing/simulated-clock.ts';
import { SimulatedDisk } from '../../runtime/src/testing/simulated-disk.ts';

const folder = import.meta.dirname;

const CLUSTER = '11111111-1111-4111-a111-111111111111';
const OTHER_CLUSTER = '22222222-2222-4222-a222-222222222222';
const SET = 'dddddddd-dddd-4ddd-addd-dddddddddddd';
const INSTANCES: Readonly<Record<string, string>> = {
  me: 'aaaaaaaa-aaaa-4aaa-aaaa-aaaaaaaaaaaa',
  you: 'bbbbbbbb-bbbb-4bbb-abbb-bbbbbbbbbbbb',
};
const SELF = { uuid: uuidOf('me'), clusterUuid: CLUSTER };
const BY_ADMIN = { author: 'admin', message: '', time: '' };
const FIRST_CHANGE = 'first';
const PROVIDER = { kind: 'stateboard', uri: 'board:4401', prefix: '/t', password: '' };

function uuidOf(name: string): string {
  const uuid = INSTANCES[name];
  assert.ok(uuid !== undefined, `nobody is called "${name}"`);
  return uuid;
}

function idOf(letter: string): string {
  return letter.toLowerCase().repeat(64);
}

/** UUIDs, ids and checksums as a story names them. */
function readable(text: string): string {
  const named = Object.entries(INSTANCES).reduce(
    (out, [name, uuid]) => out.replaceAll(uuid, name),
    text,
  );
  return named
    .replace(/([a-f])\1{11,63}/g, (_, letter: string) => letter.toUpperCase())
    .replace(/\((?=[0-9a-f]*\d)[0-9a-f]{8}\)/g, '(…)');
}

/** `me` and `you` are enabled in every config; `color` is the section that changes set. */
function sectionsOf(hasProvider: boolean, color: string): Sections {
  const servers = ['me', 'you'].map((name): [string, Json] => [
    uuidOf(name),
    { uri: `${name}:1`, http_uri: `${name}:2`, alias: name, replicaset_uuid: SET },
  ]);
  const replicasets = { [SET]: { alias: 'set', failover_priority: [uuidOf('me'), uuidOf('you')] } };
  const topology = { servers: Object.fromEntries(servers), replicasets };
  return {
    color,
    topology: hasProvider ? { ...topology, failover: { state_provider: PROVIDER } } : topology,
  };
}

function colorOf({ sections: { color } }: ClusterConfig): string {
  return typeof color === 'string' ? color : assert.fail('a config without its color');
}

class Story {
  readonly #hasProvider: boolean;
  readonly #store: ConfigStore;
  #state: ParticipantState;
  #pending: ParticipantEffect | undefined;

  private constructor(hasProvider: boolean, store: ConfigStore) {
    this.#hasProvider = hasProvider;
    this.#store = store;
    this.#state = startParticipant(SELF, { active: undefined, lock: undefined, decisions: [] });
  }

  static async start(words: readonly string[]): Promise<Story> {
    const clock = new SimulatedClock();
    const disk = new SimulatedDisk({ clock, random: new SeededRandom(1), latencyMs: 0 });
    const store = new ConfigStore(disk.mount());
    const story = new Story(!words.includes('without-provider'), store);
    if (!words.includes('blank')) {
      const base = { version: 0, checksum: '' };
      await store.installFetched(story.#config('first', base, FIRST_CHANGE));
    }
    await story.#load();
    return story;
  }

  async run(line: string): Promise<string> {
    const [verb = '', ...words] = line.split(' ');
    if (verb === 'start') return this.#describeState();
    if (verb === 'crash') {
      if (words.length > 0) await this.#finishPending();
      await this.#load();
      return this.#describeState();
    }
    if (verb === 'ask') return readable(this.#describeChange(words[0] ?? ''));
    return readable(this.#describeStep(this.#step(await this.#readEvent(verb, words))));
  }

  /** The process starts: it knows what is on its disk, and nothing else. */
  async #load(): Promise<void> {
    this.#pending = undefined;
    this.#state = startParticipant(SELF, await this.#store.load());
  }

  #step(event: ParticipantEvent): ParticipantStep {
    const step = stepParticipant(this.#state, event);
    this.#state = step.state;
    this.#pending = step.effect;
    return step;
  }

  async #readEvent(verb: string, words: readonly string[]): Promise<ParticipantEvent> {
    const [word = ''] = words;
    const changeId = idOf(word);
    switch (verb) {
      case 'prepare':
        return { kind: 'prepare', request: this.#prepareRequest(word, words.slice(1)) };
      case 'commit':
      case 'abort':
        return { kind: verb, changeId, reason: 'the coordinator' };
      case 'resolve':
        return { kind: 'resolve', changeId, views: words.slice(1).map(readView) };
      case 'catch-up':
        return { kind: 'catch-up', config: this.#peerConfig(word, words.slice(1)) };
      case 'done':
        return this.#finishPending();
      default:
        return readOutcome(verb, word);
    }
  }

  /** The pending effect has been carried out, and is durable. */
  async #finishPending(): Promise<ParticipantEvent> {
    const effect = this.#pending;
    switch (effect?.kind) {
      case 'store-lock':
        await this.#store.storeLock(effect.lock);
        return { kind: 'lock-stored' };
      case 'remember':
        await this.#store.storeDecisions(effect.decisions);
        return { kind: 'remembered' };
      case 'install':
        if (effect.from === 'lock') await this.#store.installLock(effect.config);
        else await this.#store.installFetched(effect.config);
        return { kind: 'installed' };
      case 'release':
        await this.#store.releaseLock();
        return { kind: 'released' };
      default:
        return assert.fail(`nothing is under way that could be done: ${effect?.kind ?? 'nothing'}`);
    }
  }

  #config(color: string, base: Change['base'], changeId: string): ClusterConfig {
    const meta = { changeId, clusterUuid: CLUSTER, base, ...BY_ADMIN };
    return buildConfig(sectionsOf(this.#hasProvider, color), meta);
  }

  #prepareRequest(letter: string, words: readonly string[]): PrepareRequest {
    const wish = readWish(words, this.#hasProvider);
    const base = wish.base ?? versionOf(this.#state.active);
    const change: Change = { ...wish.change, changeId: idOf(letter), base, ...BY_ADMIN };
    const next = buildConfig(sectionsOf(this.#hasProvider && wish.keepsProvider, letter), change);
    const { topology = null } = next.sections;
    const checksum = wish.announces ?? next.meta.checksum;
    const meta = { ...next.meta, checksum: wish.damages ? 'damaged' : next.meta.checksum };
    return {
      change,
      result: { version: base.version + 1, checksum },
      patch: { [wish.section]: letter, topology },
      ...(wish.isFull ? { full: { meta, sections: { ...next.sections } } } : {}),
    };
  }

  #peerConfig(version: string, words: readonly string[]): ClusterConfig {
    const base = { version: Number(version) - 1, checksum: '' };
    const config = this.#config(`peer${version}`, base, idOf('F'));
    const clusterUuid = words.includes('of-another-cluster') ? OTHER_CLUSTER : CLUSTER;
    return { ...config, meta: { ...config.meta, clusterUuid } };
  }

  #describeStep({ effect }: ParticipantStep): string {
    if (effect.kind !== 'done') return describeEffect(effect);
    return `${describeOutcome(effect)}\n${this.#describeState()}`;
  }

  #describeState(): string {
    const { active, lock, decisions } = this.#state;
    const color = active === undefined ? '' : ` ${colorOf(active)}`;
    const known = decisions
      .filter(({ changeId }) => changeId !== FIRST_CHANGE)
      .map(({ changeId, decision }) => `${changeId}:${decision}`)
      .join(',');
    const parts = [
      `holds v${versionOf(active).version}${color}`,
      ...(lock === undefined ? [] : [`locked by ${lock.change.changeId}`]),
      ...(known === '' ? [] : [`knows ${known}`]),
    ];
    return readable(parts.join(', '));
  }

  #describeChange(letter: string): string {
    const { state, config } = changeState(this.#state, idOf(letter));
    return `${letter} is ${state}, at v${config.version}`;
  }
}

interface PrepareWish {
  readonly change: Pick<Change, 'clusterUuid' | 'authority' | 'participants'>;
  /** Undefined: the present config. */
  readonly base: Change['base'] | undefined;
  readonly section: string;
  readonly keepsProvider: boolean;
  readonly announces: string | undefined;
  readonly isFull: boolean;
  readonly damages: boolean;
}

const BASES: Readonly<Record<string, Change['base']>> = {
  0: { version: 0, checksum: '' },
  1: { version: 1, checksum: 'of another' },
  7: { version: 7, checksum: 'seven' },
};

/** `from=0` another base, `full`, `full=damaged`, `by=participants`, `of=me`, `cluster=other`, `result=other`, … */
function readWish(words: readonly string[], hasProvider: boolean): PrepareWish {
  const given = new Map(
    words.map((word): [string, string] => {
      const [key = '', value = ''] = word.split('=');
      return [key, value];
    }),
  );
  const authority = given.get('by') ?? (hasProvider ? 'provider' : 'participants');
  assert.ok(authority === 'provider' || authority === 'participants');
  const participants = (given.get('of') ?? 'me,you').split(',');
  return {
    change: {
      clusterUuid: given.has('cluster') ? OTHER_CLUSTER : CLUSTER,
      authority,
      participants: participants.map((name) => ({ uuid: uuidOf(name), httpUri: `${name}:2` })),
    },
    base: BASES[given.get('from') ?? ''],
    section: given.has('unnamed') ? '../color' : 'color',
    keepsProvider: !given.has('board'),
    announces: given.has('result') ? '0'.repeat(64) : undefined,
    isFull: given.has('full'),
    damages: given.get('full') === 'damaged',
  };
}

/** What the validation said, or the provider. */
function readOutcome(verb: string, word: string): ParticipantEvent {
  switch (verb) {
    case 'valid':
      return { kind: 'validated', refusal: undefined };
    case 'invalid':
      return { kind: 'validated', refusal: { code: 'CONFIG_INVALID', message: 'no blue.' } };
    case 'silence':
      return { kind: 'decision-failed', reason: 'the state provider does not answer' };
    default:
      assert.equal(verb, 'decision', `"${verb}" is no step`);
      assert.ok(word === 'none' || word === 'commit' || word === 'abort');
      return { kind: 'decision-read', decision: word, reason: 'as stored' };
  }
}

function readView(word: string): ParticipantView {
  const [name = '', state = ''] = word.split('=');
  assert.ok(
    state === 'prepared' ||
      state === 'committed' ||
      state === 'aborted' ||
      state === 'unknown' ||
      state === 'unreachable',
  );
  return { uuid: uuidOf(name), state };
}

function describeEffect(effect: Exclude<ParticipantEffect, { kind: 'done' }>): string {
  switch (effect.kind) {
    case 'validate':
      return `validate v${effect.next.meta.version} after v${versionOf(effect.previous).version}`;
    case 'store-lock':
      return `store-lock ${effect.lock.change.changeId}`;
    case 'read-decision':
      return `read-decision ${effect.changeId}`;
    case 'decide':
      return `decide ${effect.changeId}: ${effect.wish}, because ${effect.reason}`;
    case 'remember': {
      const last = effect.decisions.at(-1);
      return `remember ${last?.changeId ?? ''}: ${last?.decision ?? ''}`;
    }
    case 'install':
      return `install v${effect.config.meta.version} from the ${effect.from}`;
    case 'release':
      return 'release the lock';
    default:
      return effect satisfies never;
  }
}

function describeOutcome({ outcome }: Extract<ParticipantEffect, { kind: 'done' }>): string {
  switch (outcome.kind) {
    case 'prepare-answer': {
      const { answer } = outcome;
      if (answer.kind === 'refused') {
        const { code, message, field } = answer.refusal;
        return `answer refused ${code}${field === undefined ? '' : ` ${field}`}: ${message}`;
      }
      if (answer.kind === 'decided') return `answer decided ${answer.decision}`;
      return answer.kind === 'prepared'
        ? 'answer prepared'
        : `answer base-differs v${answer.has.version}`;
    }
    case 'state': {
      const { state, look } = outcome;
      const hint = look ? ', and look soon' : '';
      return `answer ${state.changeId} is ${state.state}, at v${state.config.version}${hint}`;
    }
    case 'failed':
      return `fail: ${outcome.reason}`;
    default:
      return outcome satisfies never;
  }
}

/** The same file, with the output that the machine gives now. */
async function rerun(text: string): Promise<string> {
  let story: Story | undefined;
  const steps: string[] = [];
  for (const block of text.trimEnd().split('\n\n')) {
    const lines = block.split('\n');
    const comments = lines.filter((line) => line.startsWith('#'));
    const input = lines.find((line) => !line.startsWith('#')) ?? '';
    if (story === undefined || input.startsWith('start'))
      story = await Story.start(input.split(' '));
    steps.push([...comments, input, '----', await story.run(input)].join('\n'));
  }
  return `${steps.join('\n\n')}\n`;
}

describe('two-phase participant', () => {
  for (const file of readdirSync(folder).filter((name) => /^participant.*\.txt$/.test(name))) {
    it(`goes through ${file} [2PC-03]`, async () => {
      const text = readFileSync(path.join(folder, file), 'utf8');
      const now = await rerun(text);
      if (process.env['UPDATE_SCENARIOS'] === '1') writeFileSync(path.join(folder, file), now);
      else assert.equal(now, text);
    });
  }
});
