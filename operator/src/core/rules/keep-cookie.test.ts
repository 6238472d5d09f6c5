import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { buildCluster, OPERATOR_FACTS } from '../../testing/cluster-objects.ts';
import { ModelWorld } from '../../testing/model-world.ts';
import { settledWorld, tell } from '../../testing/snapshots.ts';
import type { CookieSecret } from '../snapshot.ts';
import type { Verdict } from '../verdict.ts';
import { keepCookie } from './keep-cookie.ts';

const NAME = 'employees-cookie';
const OWN = OPERATOR_FACTS.publicKey;

function key(letter: string): string {
  return `-----BEGIN PUBLIC KEY-----\n${letter.repeat(8)}\n-----END PUBLIC KEY-----\n`;
}

function publishing(keys: string): readonly Verdict[] {
  return [
    {
      kind: 'act',
      actions: [{ kind: 'publish-operator-key', name: NAME, keys }],
      reason: 'PublishingKey',
      message: `The operator's public key is added to Secret ${NAME}.`,
    },
  ];
}

describe('keepCookie', () => {
  const cases: readonly {
    readonly name: string;
    readonly cookie: CookieSecret | undefined;
    readonly want: readonly Verdict[];
  }[] = [
    {
      name: 'makes one, with the key of this operator from the start',
      cookie: undefined,
      want: [
        {
          kind: 'act',
          actions: [{ kind: 'create-cookie', name: NAME, keys: OWN }],
          reason: 'CreatingCookie',
          message: `Secret ${NAME} is created.`,
        },
      ],
    },
    {
      name: 'never writes into a Secret of a user that has no cookie',
      cookie: { hasCookie: false, operatorKeys: OWN },
      want: [
        {
          kind: 'stop',
          refused: true,
          reason: 'CookieMissing',
          message: `Secret ${NAME} exists without the key "cookie": add one; a cluster that has rows needs the one that it was made with.`,
        },
      ],
    },
    {
      name: 'leaves one alone that has the key',
      cookie: { hasCookie: true, operatorKeys: OWN },
      want: [],
    },
    {
      name: 'leaves one alone whose second key is this operator’s',
      cookie: { hasCookie: true, operatorKeys: `${key('a')}${OWN}` },
      want: [],
    },
    {
      name: 'adds the key to a cookie that a user has brought',
      cookie: { hasCookie: true, operatorKeys: '' },
      want: publishing(OWN),
    },
    {
      name: 'keeps the key before, so that nobody is shut out while the Secret spreads',
      cookie: { hasCookie: true, operatorKeys: key('a') },
      want: publishing(`${OWN}${key('a')}`),
    },
    {
      name: 'keeps no more than two',
      cookie: { hasCookie: true, operatorKeys: `${key('a')}${key('b')}` },
      want: publishing(`${OWN}${key('a')}`),
    },
  ];

  for (const { name, cookie, want } of cases) {
    it(name, () => {
      const snapshot = { ...new ModelWorld(buildCluster()).snapshot(), cookie };
      assert.deepEqual(keepCookie(snapshot), want);
    });
  }

  it('makes no other one while instances run with one that is lost, and tells how to go on', () => {
    const lost = { ...settledWorld().snapshot(), cookie: undefined };
    const message = `Secret ${NAME} is gone, and instances run with its cookie: restore it; or let a new one be made by kubectl delete pods -l tonearm.dev/cluster=employees,app.kubernetes.io/component=instance, which stops the whole cluster for a moment.`;
    assert.deepEqual(tell(keepCookie(lost)), [
      `complain CookieLost: ${message}`,
      `stop CookieLost: ${message}`,
    ]);
    const starting = lost.pods.map((pod) => ({ ...pod, status: { phase: 'Pending' } }));
    assert.deepEqual(tell(keepCookie({ ...lost, pods: starting })), [
      `act CreatingCookie: Secret ${NAME} is created.`,
    ]);
  });
});
