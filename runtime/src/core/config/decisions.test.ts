import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  type DecisionQuestion,
  type KnownDecision,
  type ParticipantView,
  planDecision,
  rememberDecision,
  resolveByParticipants,
} from './decisions.ts';

const V0 = { version: 0, checksum: '' };
const V1 = { version: 1, checksum: 'one' };
const V2 = { version: 2, checksum: 'two' };
const head = (config: typeof V0, changeId: string): DecisionQuestion['head'] => ({
  v: 1,
  config,
  changeId,
});

describe('planDecision', () => {
  const cases: readonly {
    readonly name: string;
    readonly question: Omit<DecisionQuestion, 'changeId' | 'reason'>;
    readonly want: string;
  }[] = [
    {
      name: 'commits on top of its base',
      question: { wish: 'commit', base: V1, head: head(V1, 'other') },
      want: 'commit',
    },
    {
      name: 'commits the first config',
      question: { wish: 'commit', base: V0, head: undefined },
      want: 'commit',
    },
    {
      name: 'aborts what a rival overtook',
      question: { wish: 'commit', base: V1, head: head(V2, 'other') },
      want: 'abort',
    },
    {
      name: 'aborts a rival first config',
      question: { wish: 'commit', base: V0, head: head(V1, 'other') },
      want: 'abort',
    },
    {
      name: 'aborts on wish',
      question: { wish: 'abort', base: V1, head: head(V1, 'other') },
      want: 'abort',
    },
    {
      name: 'sees a commit whose record is gone',
      question: { wish: 'abort', base: V1, head: head(V2, 'mine') },
      want: 'committed-before',
    },
    {
      name: 'concludes nothing from a lost head',
      question: { wish: 'abort', base: V1, head: undefined },
      want: 'wait',
    },
    {
      name: 'commits nothing on a lost head',
      question: { wish: 'commit', base: V1, head: undefined },
      want: 'wait',
    },
  ];
  for (const { name, question, want } of cases) {
    it(name, () => {
      const plan = planDecision({ ...question, changeId: 'mine', reason: 'why' });
      assert.equal(plan.kind === 'write' ? plan.decision : plan.kind, want);
    });
  }
});

describe('resolveByParticipants', () => {
  const cases: readonly {
    readonly states: readonly ParticipantView['state'][];
    readonly want: string;
  }[] = [
    { states: ['prepared', 'prepared'], want: 'commit' },
    { states: ['prepared', 'committed'], want: 'commit' },
    { states: ['unreachable', 'committed'], want: 'commit' },
    { states: ['prepared', 'aborted'], want: 'abort' },
    { states: ['unreachable', 'aborted'], want: 'abort' },
    { states: ['prepared', 'unreachable'], want: 'stay' },
    { states: ['prepared', 'unknown'], want: 'stay' },
  ];
  for (const { states, want } of cases) {
    it(`${states.join(' and ')} means ${want}`, () => {
      const views = states.map((state, index) => ({ uuid: String(index), state }));
      const resolution = resolveByParticipants(views);
      assert.equal(resolution.kind === 'decided' ? resolution.decision : resolution.kind, want);
    });
  }
});

describe('rememberDecision', () => {
  const known = (count: number, version: number): readonly KnownDecision[] =>
    Array.from({ length: count }, (_, index) => ({
      changeId: `${version}-${index}`,
      decision: 'abort',
      reason: '',
      version,
    }));

  it('keeps the last 200', () => {
    const last: KnownDecision = { changeId: 'last', decision: 'commit', reason: '', version: 2 };
    const decisions = rememberDecision(known(300, 1), last);
    assert.equal(decisions.length, 200);
    assert.deepEqual(decisions.at(-1), last);
  });

  it('never forgets a refusal of the present version', () => {
    const last: KnownDecision = { changeId: 'last', decision: 'abort', reason: '', version: 1 };
    assert.equal(rememberDecision(known(300, 1), last).length, 301);
  });

  it('has one entry for each change', () => {
    const [first] = known(1, 1);
    assert.ok(first !== undefined);
    assert.deepEqual(rememberDecision([first], first), [first]);
  });
});
