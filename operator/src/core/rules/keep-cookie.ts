/**
 * The Secret with the cluster's cookie and the operator's public keys.
 *
 * The cookie is made once and never replaced; a user may bring an own one. The Secret has no owner: data that outlives
 * the Cluster needs the cookie that it was made with.
 */
import { cookieSecretName } from '../resources/names.ts';
import type { ClusterSnapshot } from '../snapshot.ts';
import type { Action, Verdict } from '../verdict.ts';
import { act } from '../verdict.ts';

/** The present operator's and the one before it, so that a change of keys shuts nobody out. */
const KEYS_KEPT = 2;

export function keepCookie({ cluster, cookie, operator }: ClusterSnapshot): readonly Verdict[] {
  const name = cookieSecretName(cluster.metadata.name);
  if (cookie === undefined) {
    const keys = `${operator.publicKey.trim()}\n`;
    const action: Action = { kind: 'create-cookie', name, keys };
    return [act([action], 'CreatingCookie', `Secret ${name} is created.`)];
  }
  if (!cookie.hasCookie) {
    return [
      {
        kind: 'stop',
        refused: true,
        reason: 'CookieMissing',
        message: `Secret ${name} exists without the key "cookie": add one, or delete the Secret to have it made.`,
      },
    ];
  }
  const keys = splitKeys(cookie.operatorKeys);
  const own = operator.publicKey.trim();
  if (keys.includes(own)) return [];
  const next = [own, ...keys].slice(0, KEYS_KEPT).map((key) => `${key}\n`);
  return [
    act(
      [{ kind: 'publish-operator-key', name, keys: next.join('') }],
      'PublishingKey',
      `The operator's public key is added to Secret ${name}.`,
    ),
  ];
}

function splitKeys(pem: string): readonly string[] {
  return (pem.match(/-----BEGIN [^-]+-----[^-]+-----END [^-]+-----/g) ?? []).map((key) =>
    key.trim(),
  );
}
