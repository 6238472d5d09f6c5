/**
 * Runs the stories of `two-phase*.txt` against the change coordinator machine.
 *
 * A step is a line, `----`, and what the machine then wants. `UPDATE_SCENARIOS=1` writes the output anew, to be
 * reviewed as prose.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import type { PrepareAnswer, PrepareRequest } from '../../runtime/src/contract/two-phase.ts';
import {
  startTwoPhase,
  stepTwoPhase,
  type TwoPhaseEvent,
  type TwoPhaseState,
  type TwoPhaseStep,
} from '../../runtime/src/core/config/two-phase.ts';

const folder = import.meta.dirname;

function buildRequest(participants: readonly string[]): PrepareRequest {
  return {
    change: {
      changeId: 'f'.repeat(64),
      clusterUuid: '11111111-1111-4111-a111-111111111111',
      base: { version: 1, checksum: 'one' },
      authority: 'provider',
      participants: participants.map((uuid) => ({ uuid, httpUri: `${uuid}:8081` })),
      author: 'admin',
      message: '',
      time: '',
    },
    result: { version: 2, checksum: 'two' },
    patch: {},
  };
}

const answers: Readonly<Record<string, PrepareAnswer>> = {
  prepared: { kind: 'prepared' },
  'base-differs': { kind: 'base-differs', has: { version: 0, checksum: '' } },
  refused: { kind: 'refused', refusal: { code: 'CONFIG_LOCKED', message: 'locked' } },
  'decided-commit': { kind: 'decided', decision: 'commit' },
  'decided-abort': { kind: 'decided', decision: 'abort' },
};

/** `committed-behind`: it knows the decision, and does not have the config yet. */
function finishAnswer(word: string): Extract<TwoPhaseEvent, { kind: 'finish-answered' }>['answer'] {
  const [state = '', isBehind] = word.split('-');
  assert.ok(
    state === 'committed' || state === 'aborted' || state === 'prepared' || state === 'unknown',
  );
  const version = state === 'committed' && isBehind === undefined ? 2 : 1;
  return { changeId: 'f'.repeat(64), state, reason: 'why', config: { version, checksum: '' } };
}

function readEvent(line: string): TwoPhaseEvent {
  const [from = '', verb = '', word = ''] = line.split(' ');
  if (from === 'deadline' || from === 'give-up') return { kind: from };
  if (verb === 'failed') {
    assert.ok(word === 'prepare' || word === 'commit' || word === 'abort');
    return { kind: 'failed', from, message: word, reason: 'no answer' };
  }
  const answer = answers[verb];
  if (answer !== undefined) return { kind: 'prepare-answered', from, answer };
  assert.equal(verb, 'says', `"${line}" is no step`);
  return { kind: 'finish-answered', from, answer: finishAnswer(word) };
}

function describeState(state: TwoPhaseState): string {
  switch (state.phase) {
    case 'preparing':
      return `preparing prepared=${state.prepared.join(',')}`;
    case 'deciding':
      return `deciding by=${state.decider}`;
    case 'committing':
      return `committing pending=${state.pending.join(',')}`;
    case 'aborting':
      return `aborting pending=${state.pending.join(',')}`;
    case 'committed':
      return `committed lagging=${state.lagging.join(',')}`;
    default:
      return `${state.phase} ${state.refusal.code}: ${state.refusal.message}`;
  }
}

function describeStep(step: TwoPhaseStep): string {
  const sends = step.effects.map(
    (effect) =>
      `${effect.message} -> ${effect.to}${effect.delayMs > 0 ? ` after ${effect.delayMs} ms` : ''}`,
  );
  return [describeState(step.state), ...sends].join('\n');
}

/** The same story, with the output that the machine gives now. */
function rerun(story: string): string {
  let state: TwoPhaseState | undefined;
  const steps = story
    .trimEnd()
    .split('\n\n')
    .map((block) => {
      const lines = block.split('\n');
      const comments = lines.filter((line) => line.startsWith('#'));
      const input = lines.find((line) => !line.startsWith('#')) ?? '';
      const step =
        state === undefined || input.startsWith('start ')
          ? startTwoPhase(buildRequest(input.split(' ').slice(1)))
          : stepTwoPhase(state, readEvent(input));
      state = step.state;
      return [...comments, input, '----', describeStep(step)].join('\n');
    });
  return `${steps.join('\n\n')}\n`;
}

describe('two-phase coordinator', () => {
  for (const file of readdirSync(folder).filter((name) => /^two-phase.*\.txt$/.test(name))) {
    it(`goes through ${file} [2PC-03]`, () => {
      const story = readFileSync(path.join(folder, file), 'utf8');
      const now = rerun(story);
      if (process.env['UPDATE_SCENARIOS'] === '1') writeFileSync(path.join(folder, file), now);
      else assert.equal(now, story);
    });
  }
});
