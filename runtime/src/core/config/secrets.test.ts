import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Json } from '../../contract/json.ts';
import { buildConfig } from './apply-patch.ts';
import { withoutSecrets, withStoredSecrets } from './secrets.ts';

function sections(password?: string): { readonly topology: Json; readonly plain: Json } {
  const provider = { kind: 'etcd', ...(password === undefined ? {} : { password }) };
  return {
    topology: { servers: {}, failover: { mode: 'stateful', state_provider: provider } },
    plain: { password: 'of the user' },
  };
}

const meta = {
  ...{ changeId: '', clusterUuid: '', author: '', message: '', time: '' },
  base: { version: 0, checksum: '' },
};

describe('withoutSecrets', () => {
  it('masks the password of the state provider, and nothing else [FO-18]', () => {
    const config = buildConfig(sections('secret'), meta);
    assert.deepEqual(withoutSecrets(config), { ...config, sections: sections('******') });
  });

  it('leaves a config alone that has none', () => {
    for (const one of [sections(), sections(''), { topology: 'text' }, {}]) {
      const config = buildConfig(one, meta);
      assert.deepEqual(withoutSecrets(config), config);
    }
  });
});

describe('withStoredSecrets', () => {
  it('puts the stored password in the place of its mask [FO-18]', () => {
    const { topology } = sections('******');
    assert.deepEqual(withStoredSecrets({ topology }, sections('secret')), {
      topology: sections('secret').topology,
    });
  });

  it('takes a new password as it is, and no password for none', () => {
    for (const one of [sections('new'), sections()]) {
      const { topology } = one;
      assert.deepEqual(withStoredSecrets({ topology }, sections('secret')), { topology });
    }
    assert.deepEqual(withStoredSecrets({ topology: null }, sections('secret')), { topology: null });
  });
});
