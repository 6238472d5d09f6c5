import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { topologySchema } from '../../contract/cluster-config.ts';
import { gossipedLeader } from './gossiped-leader.ts';

const uuid = (last: string): string => `00000000-0000-4000-8000-00000000000${last}`;
const [SET, OTHER, A, B, C] = ['e', 'f', 'a', 'b', 'c'].map(uuid) as [
  string,
  string,
  string,
  string,
  string,
];
const server = (replicaSet: string) => ({
  ...{ uri: 'host:1', http_uri: 'host:2', alias: 'x', replicaset_uuid: replicaSet },
});
const topology = topologySchema.parse({
  servers: { [A]: server(SET), [B]: server(SET), [C]: server(OTHER) },
});
const says = (from: string, leader: string, term: string) => ({
  payload: { uuid: from, leader_uuid: leader, raft_term: term },
});

describe('the leader of another replica set', () => {
  const cases: readonly [string, Parameters<typeof gossipedLeader>[0], unknown][] = [
    ['is nobody when nobody tells', [{ payload: { uuid: A } }], undefined],
    ['is who is named with the highest term', [says(A, A, '3'), says(B, B, '12')], [B, 12]],
    ['is told by its own instances only', [says(C, A, '9'), says(A, B, '2')], [B, 2]],
    ['is one of them', [says(A, C, '9'), says(B, A, '2')], [A, 2]],
    ['is told with a term', [says(A, A, 'soon')], undefined],
  ];
  for (const [what, entries, want] of cases) {
    it(`${what} [FO-91]`, () => {
      const known = gossipedLeader(entries, topology, SET);
      assert.deepEqual(known && [known.uuid, known.term], want);
    });
  }
});
