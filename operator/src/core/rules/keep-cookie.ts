/**
 * The Secret with the cluster's cookie and the operator's public keys.
 *
 * The cookie is made once and never replaced; a user may bring an own one. The Secret has no owner: data that outlives
 * the Cluster needs the cookie that it was made with. When it is lost while instances run, no other one is made: those
 * that run and those that start later would shut each other out.
 */
import { LABELS } from '../../api/names.ts';
import { cookieSecretName } from '../resources/names.ts';
import type { ClusterSnapshot } from '../snapshot.ts';
import type { Action, Verdict } from '../verdict.ts';
import { act } from '../verdict.ts';

/** The present operator's and the one before it, so that a change of keys shuts nobody out. */
const KEYS_KEPT = 2;

export function keepCookie(snapshot: ClusterSnapshot): readonly Verdict[] {
  const { cluster, cookie, operator } = snapshot;
  const name = cookieSecretName(cluster.metadata.name);
  if (cookie === undefined) {
    if (runsInstances(snapshot)) return lost(name, cluster.metadata.name);
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
        message: `Secret ${name} exists without the key "cookie": add one; a cluster that has rows needs the one that it was made with.`,
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

function runsInstances({ instances, pods }: ClusterSnapshot): boolean {
  const running = pods.filter((pod) => pod.status?.phase === 'Running');
  return instances.some(({ podName }) => running.some(({ metadata }) => metadata.name === podName));
}

function lost(secret: string, cluster: string): readonly Verdict[] {
  const selector = `${LABELS.cluster}=${cluster},${LABELS.component}=instance`;
  const reason = 'CookieLost';
  const message = `Secret ${secret} is gone, and instances run with its cookie: restore it; or let a new one be made by kubectl delete pods -l ${selector}, which stops the whole cluster for a moment.`;
  return [
    { kind: 'complain', reason, message },
    { kind: 'stop', refused: false, reason, message },
  ];
}

function splitKeys(pem: string): readonly string[] {
  return (pem.match(/-----BEGIN [^-]+-----[^-]+-----END [^-]+-----/g) ?? []).map((key) =>
    key.trim(),
  );
}
