import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deleteCommand } from './delete-command.ts';

describe('deleteCommand', () => {
  it('names all endpoints of etcd, and its user where there is one', () => {
    const endpoints = ['http://one:2379', 'http://two:2379'];
    const etcd = { kind: 'etcd', endpoints, prefix: '/tonearm/shop/' } as const;
    assert.equal(
      deleteCommand(etcd, 'cookie-hash'),
      'etcdctl --endpoints http://one:2379,http://two:2379 del /tonearm/shop/cookie-hash',
    );
    assert.equal(
      deleteCommand({ ...etcd, endpoints: ['http://one:2379'], username: 'a b' }, 'k'),
      "etcdctl --endpoints http://one:2379 --user 'a b' del /tonearm/shop/k",
    );
  });

  it('asks a stateboard as its clients do, without its password', () => {
    const board = { kind: 'stateboard', uri: 'host:4401', password: 'secret' } as const;
    assert.equal(
      deleteCommand({ ...board, prefix: "/o'neill/" }, 'k'),
      String.raw`curl -u client http://host:4401/v1/transact -d '{"equal":[],"compare":[],"writes":[{"kind":"delete","key":"/o'\''neill/k"}]}'`,
    );
  });
});
