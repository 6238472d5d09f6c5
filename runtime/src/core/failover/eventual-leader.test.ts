import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Topology, topologySchema } from '../../contract/cluster-config.ts';
import {
  chooseEventualLeader,
  chooseHeir,
  chooseLongestLog,
  chooseSuccessor,
  type EventualMember,
  type HeardInstance,
  isFollowed,
  type LeaderView,
  readMembers,
  seesMajority,
} from './eventual-leader.ts';

const SET = 'dddddddd-dddd-4ddd-addd-dddddddddddd';

function uuid(letter: string): string {
  return 'xxxxxxxx-xxxx-4xxx-axxx-xxxxxxxxxxxx'.replaceAll('x', letter);
}

/** The priority is that of the letters; `!b` is disabled, `~b` not electable. */
function topology(members: readonly string[]): Topology {
  const servers = members.map((text): [string, unknown] => {
    const letter = text.at(-1) ?? '';
    const server = {
      ...{ uri: `${letter}:1`, http_uri: `${letter}:2`, alias: letter, replicaset_uuid: SET },
      ...{ disabled: text.startsWith('!'), electable: !text.startsWith('~') },
    };
    return [uuid(letter), server];
  });
  const priority = members.map((text) => uuid(text.at(-1) ?? ''));
  return topologySchema.parse({
    servers: Object.fromEntries(servers),
    replicasets: { [SET]: { alias: 'set', failover_priority: priority } },
  });
}

const STATUSES: readonly HeardInstance['status'][] = ['alive', 'suspect', 'dead', 'left'];

function told(words: readonly string[]): { readonly leader: string; readonly term: string } {
  const [, leader = '', term = ''] = /^>?(\w?)@(\w+)$/.exec(follows(words)) ?? [];
  return { leader, term };
}

const follows = (words: readonly string[]): string =>
  words.find((word) => word.includes('@')) ?? '';

/**
 * `a alive ready >b@7`: a follows b in term 7. `@7`: it knows of that term. `backed`: a majority has followed it. `boots`: no roles yet. `other`: another instance at its address.
 * `3:5`: its last row. An instance of which nothing is said but its letter was not heard of.
 */
function given(...texts: readonly string[]): readonly EventualMember[] {
  const entries = texts.flatMap((text): (readonly [string, HeardInstance])[] => {
    const [name = '', ...words] = text.split(' ');
    const letter = name.at(-1) ?? '';
    const status = STATUSES.find((one) => words.includes(one));
    if (status === undefined) return [];
    const { leader, term } = told(words);
    const payload = {
      uuid: uuid(words.includes('other') ? 'f' : letter),
      state: words.includes('boots') ? 'BoxConfigured' : 'RolesConfigured',
      leader_uuid: leader === '' ? '' : uuid(leader),
      raft_term: term,
      backed: words.includes('backed') ? 'yes' : 'no',
      ready: words.includes('ready') ? 'yes' : 'no',
      position: words.find((word) => /^\d+:\d+$/.test(word)) ?? '',
    };
    return [[`${letter}:1`, { status, payload }]];
  });
  return readMembers(
    topology(texts.map((text) => text.split(' ')[0] ?? '')),
    SET,
    new Map(entries),
  );
}

const choices: readonly (readonly [string, readonly string[], string])[] = [
  [
    'the first of the priority when all are well',
    ['a alive ready', 'b alive ready'],
    'a first-ready',
  ],
  ['one that is only suspected', ['a suspect ready', 'b alive ready'], 'a first-ready'],
  ['the next one when the first is dead', ['a dead ready', 'b alive ready'], 'b first-ready'],
  ['the next one when the first has left', ['a left ready', 'b alive ready'], 'b first-ready'],
  ['the next one when the first was not heard of', ['a', 'b alive ready'], 'b first-ready'],
  [
    'nobody at an address that another took',
    ['a alive other ready', 'b alive ready'],
    'b first-ready',
  ],
  ['nobody that is not configured', ['a alive boots ready', 'b alive ready'], 'b first-ready'],
  ['nobody disabled', ['!a alive ready', 'b alive ready'], 'b first-ready'],
  ['nobody that is not electable', ['~a alive ready', 'b alive ready'], 'b first-ready'],
  ['the first of the priority when none is healthy', ['a dead', 'b dead'], 'a none-ready'],
  ['nobody that has not caught up', ['a alive', 'b alive ready'], 'b first-ready'],
  [
    'who leads, before one that is wanted more',
    ['a alive ready >b@7', 'b alive ready >b@7'],
    'b leads@7',
  ],
  ['who leads while it is suspected', ['a alive ready >b@7', 'b suspect ready >b@7'], 'b leads@7'],
  ['nobody dead, whatever it said', ['a alive ready >b@7', 'b dead ready >b@7'], 'a first-ready'],
  [
    'of two that lead, the one of the later term',
    ['a alive ready >a@5', 'b alive ready >b@7'],
    'b leads@7',
  ],
  [
    'of two that lead, the one that was followed by a majority',
    ['a alive backed >a@5', 'b alive ready >b@7'],
    'a leads@5',
  ],
  [
    'of two that were followed, the one of the later term',
    ['a alive backed >a@5', 'b alive backed >b@7'],
    'b leads@7',
  ],
  [
    'nobody that leads although it must not',
    ['~a alive ready >a@5', 'b alive ready >a@5'],
    'b first-ready',
  ],
];

describe('chooseEventualLeader', () => {
  for (const [name, members, want] of choices) {
    it(`takes ${name} [FO-26]`, () => {
      const chosen = chooseEventualLeader(given(...members));
      const letter = chosen?.uuid[0] ?? '';
      const term = chosen?.term === 0 ? '' : `@${chosen?.term}`;
      assert.equal(`${letter} ${chosen?.reason}${term}`, want);
    });
  }

  it('takes nobody where nobody may lead', () => {
    assert.equal(chooseEventualLeader(given('!a alive ready', '~b alive ready')), undefined);
  });

  it('reads no number from what is none', () => {
    const [member] = given('a alive >a@1e99 99:9x');
    assert.deepEqual([member?.term, member?.position], [0, undefined]);
  });
});

describe('isFollowed', () => {
  it('wants a majority of the enabled instances, the leader among them', () => {
    const of = (...members: readonly string[]) => isFollowed(given(...members), uuid('a'));
    assert.equal(of('a alive >a@5', 'b alive >a@5', 'c dead >a@5'), true);
    assert.equal(of('a alive >a@5', 'b alive >c@4', 'c dead >a@5'), false);
    assert.equal(of('a alive >a@5', 'b alive >c@4', '!c alive >c@4'), true);
  });
});

describe('chooseLongestLog', () => {
  it('waits for those that were not heard yet, and for those without roles', () => {
    assert.equal(chooseLongestLog(given('a alive 3:5', 'b'), true), undefined);
    assert.equal(chooseLongestLog(given('a alive 3:5', 'b alive boots 4:1'), true), undefined);
  });

  it('takes the longest log of those that were heard, and of equal ones the first', () => {
    assert.equal(chooseLongestLog(given('a alive 3:5', 'b alive 4:1'), true), uuid('b'));
    assert.equal(chooseLongestLog(given('a alive 3:5', 'b alive 3:5'), true), uuid('a'));
    assert.equal(chooseLongestLog(given('a alive 3:5', 'b dead 4:1'), false), uuid('a'));
  });

  it('waits for nobody that may not lead', () => {
    assert.equal(chooseLongestLog(given('a alive 3:5', '~b', '!c'), true), uuid('a'));
  });
});

describe('chooseSuccessor', () => {
  const leader = (...inSync: readonly string[]): LeaderView => {
    return {
      uuid: uuid('b'),
      inSync: ['b', ...inSync].map((letter) => ({ uuid: uuid(letter), incarnation: 1 })),
    };
  };

  it('takes one that is wanted more once it has caught up with the leader [FO-27]', () => {
    assert.equal(chooseSuccessor(given('a alive', 'b alive'), leader('a')), uuid('a'));
    assert.equal(chooseSuccessor(given('a alive', 'b alive'), leader()), undefined);
  });

  it('takes nobody that is suspected, without roles, or not electable [FO-27]', () => {
    for (const first of ['a suspect', 'a dead', 'a alive boots', '~a alive', '!a alive']) {
      assert.equal(chooseSuccessor(given(first, 'b alive'), leader('a')), undefined, first);
    }
  });

  it('takes nobody that is wanted less, unless the leader may not lead any more', () => {
    assert.equal(chooseSuccessor(given('b alive', 'c alive'), leader('c')), undefined);
    assert.equal(chooseSuccessor(given('~b alive', 'c alive'), leader('c')), uuid('c'));
  });

  it('finds an heir anywhere in the order', () => {
    assert.equal(chooseHeir(given('b alive', 'c alive'), leader('c')), uuid('c'));
    assert.equal(chooseHeir(given('b alive', 'c alive'), leader()), undefined);
  });
});

describe('seesMajority', () => {
  const cases: readonly (readonly [readonly string[], boolean])[] = [
    [['a alive', 'b alive', 'c dead'], true],
    [['a alive', 'b suspect', 'c dead'], false],
    [['a alive', 'b alive other', 'c dead'], false],
    [['a alive', 'b alive boots', 'c dead'], true],
    [['a', 'b alive', 'c dead'], true],
    [['a alive', 'b alive', 'c dead', 'd dead'], false],
    [['a alive', 'b dead', '!c alive', 'd alive'], true],
    [['a alive', 'b dead'], true],
    [['a alive'], true],
  ];
  for (const [members, want] of cases) {
    it(`is ${want} for ${members.join(', ')} [FO-81] [FO-84]`, () => {
      assert.equal(seesMajority(given(...members), uuid('a')), want);
    });
  }
});
