import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type EtcdMemberStatus, judgeEtcdMembers } from './etcd-members.ts';

function member(name: string, changes: Partial<EtcdMemberStatus> = {}) {
  const status: EtcdMemberStatus = {
    ...{ endpoint: name, clusterId: 'c', memberId: name, leaderId: 'a', raftTerm: 4 },
    ...{ raftIndex: 9000, version: '3.5.0', dbSizeBytes: 20_000, errors: [] },
    ...changes,
  };
  return { kind: 'status', status } as const;
}

describe('judgeEtcdMembers', () => {
  const findings: readonly (readonly [
    string,
    Parameters<typeof judgeEtcdMembers>[0],
    readonly RegExp[],
  ])[] = [
    ['nothing of members that agree', [member('a'), member('b'), member('c')], []],
    [
      'a member of another cluster, and which are the others',
      [member('x', { clusterId: 'other', leaderId: 'x' }), member('b'), member('c')],
      [/members disagree: x belongs to another cluster \(other\) than the others \(c\)/],
    ],
    [
      'a member that follows another leader in an older term',
      [member('a'), member('b', { leaderId: 'b', raftTerm: 2 }), member('c')],
      [/members disagree: b knows leader b of term 2, others follow a in term 4/],
    ],
    [
      'a member that knows of no leader',
      [member('a'), member('b', { leaderId: '0', raftTerm: 9 }), member('c')],
      [/members disagree: b knows no leader/],
    ],
    [
      'that nobody leads',
      [member('a', { leaderId: '0' }), member('b', { leaderId: '0' })],
      [/no leader: most/],
    ],
    [
      'a member that lags',
      [member('a'), member('b', { raftIndex: 1 })],
      [/b is 8999 requests behind/],
    ],
    [
      'alarms',
      [
        member('a', { errors: ['memberID:1 alarm:NOSPACE'] }),
        member('b', { errors: ['alarm:CORRUPT'] }),
      ],
      [/a is full \(alarm NOSPACE\)/, /b has data that differs/],
    ],
    ['a large database', [member('a', { dbSizeBytes: 1_900_000_000 })], [/a has 1900 MB/]],
    [
      'a member that is silent',
      [member('a'), { kind: 'silent', endpoint: 'b', reason: 'nothing listens there' }],
      [/b does not answer: nothing listens there/],
    ],
  ];
  for (const [what, answers, expected] of findings) {
    it(`tells ${what} [CMP-11]`, () => {
      const told = judgeEtcdMembers(answers);
      assert.equal(told.length, expected.length, told.join('\n'));
      for (const [index, pattern] of expected.entries()) assert.match(told[index] ?? '', pattern);
    });
  }
});
