import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Topology, topologySchema } from '../../contract/cluster-config.ts';
import { decideParticipants, type ParticipantsQuestion } from './decide-participants.ts';

const R = 'dddddddd-dddd-4ddd-addd-dddddddddddd';

function uuid(letter: string): string {
  return 'xxxxxxxx-xxxx-4xxx-axxx-xxxxxxxxxxxx'.replaceAll('x', letter);
}

/** `ab-C` = a and b enabled, c expelled; `!d` is disabled. */
function topology(text: string): Topology {
  const servers: readonly [string, unknown][] = [...text.matchAll(/([-!]?)([a-f])/g)].map(
    ([, mark, letter = '']) => [
      uuid(letter),
      mark === '-'
        ? 'expelled'
        : {
            uri: `${letter}:1`,
            http_uri: `${letter}:2`,
            alias: letter,
            replicaset_uuid: R,
            disabled: mark === '!',
          },
    ],
  );
  return topologySchema.parse({ servers: Object.fromEntries(servers) });
}

const cases: readonly {
  readonly name: string;
  readonly previous: string;
  readonly next: string;
  readonly authority: ParticipantsQuestion['authority'];
  readonly missing?: string;
  readonly want: string;
}[] = [
  { name: 'all enabled ones', previous: 'abc', next: 'a!bc', authority: 'provider', want: 'ac' },
  {
    name: 'none that is expelled',
    previous: 'abc',
    next: 'ab-c',
    authority: 'provider',
    want: 'ab',
  },
  {
    name: 'a down one less',
    previous: 'abc',
    next: 'abc',
    authority: 'provider',
    missing: 'b',
    want: 'ac',
  },
  {
    name: 'no minority',
    previous: 'abc',
    next: 'abc',
    authority: 'provider',
    missing: 'bc',
    want: 'refused',
  },
  {
    name: 'no half',
    previous: 'ab',
    next: 'ab',
    authority: 'provider',
    missing: 'b',
    want: 'refused',
  },
  {
    name: 'no minority of the old ones',
    previous: 'abc',
    next: 'a-b-cdef',
    authority: 'provider',
    missing: 'a',
    want: 'refused',
  },
  {
    name: 'no joining one that is down',
    previous: 'abc',
    next: 'abcd',
    authority: 'provider',
    missing: 'd',
    want: 'refused',
  },
  {
    name: 'the expelled too, without a provider',
    previous: 'abc',
    next: 'ab-c',
    authority: 'participants',
    want: 'abc',
  },
  {
    name: 'nobody less, without a provider',
    previous: 'abc',
    next: 'abc',
    authority: 'participants',
    missing: 'c',
    want: 'refused',
  },
  { name: 'not an empty list', previous: 'a', next: '-a', authority: 'provider', want: 'refused' },
];

describe('decideParticipants', () => {
  for (const { name, previous, next, authority, missing = '', want } of cases) {
    it(`takes ${name}`, () => {
      const answer = decideParticipants({
        previous: topology(previous),
        next: topology(next),
        authority,
        missing: missing.split('').map(uuid),
      });
      const got =
        answer.kind === 'participants'
          ? answer.participants.map((participant) => participant.httpUri[0]).join('')
          : 'refused';
      assert.equal(got, want);
    });
  }
});
