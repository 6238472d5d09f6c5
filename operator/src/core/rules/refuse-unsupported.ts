/**
 * What the operator cannot do yet is refused as a whole, before anything is done: half of a wish is worse than none.
 * Each refusal names the field and what to write instead.
 */
import { sameJson } from '@tonearm/runtime/config';
import type { Json, StateProviderConfig } from '@tonearm/runtime/contract';
import type { Cluster } from '../../api/v1alpha1/cluster.ts';
import { toJson } from '../config-draft.ts';
import type { ClusterSnapshot } from '../snapshot.ts';
import { wantedProvider } from '../state-provider.ts';
import { defaultGroup, readTopology } from '../topology.ts';
import type { Reason, Verdict } from '../verdict.ts';

const CREDENTIALS: readonly string[] = ['username', 'password'];

export function refuseUnsupported(snapshot: ClusterSnapshot): readonly Verdict[] {
  const refusal =
    refuseFencing(snapshot.cluster.spec.failover) ??
    refuseProvider(snapshot) ??
    refuseChangeOfMode(snapshot) ??
    refuseBucketCount(snapshot);
  return refusal === undefined ? [] : [{ kind: 'stop', refused: true, ...refusal }];
}

/** A lease needs the state provider that only one mode has, and is what makes that mode safe. */
function refuseFencing({ mode, fencing }: Cluster['spec']['failover']): Reason | undefined {
  const wanted = fencing.mode;
  if (mode === 'Stateful' && wanted !== undefined && wanted !== 'Lease') {
    return {
      reason: 'FencingModeUnsupported',
      message: `spec.failover.fencing.mode ${wanted} does not go with mode Stateful, in which a leader always holds a lease: write Lease, or leave it out.`,
    };
  }
  if (mode !== 'Stateful' && wanted === 'Lease') {
    return {
      reason: 'FencingModeUnsupported',
      message: `spec.failover.fencing.mode Lease needs a state provider, and mode ${mode} has none: use mode Stateful, or leave it out.`,
    };
  }
  if (mode !== 'Eventual' && wanted === 'Connectivity') {
    return {
      reason: 'FencingModeUnsupported',
      message: `spec.failover.fencing.mode Connectivity is for mode Eventual, not for ${mode}: leave it out.`,
    };
  }
  return undefined;
}

function refuseProvider(snapshot: ClusterSnapshot): Reason | undefined {
  const wanted = wantedProvider(snapshot);
  if (wanted.kind === 'unusable') return { reason: wanted.reason, message: wanted.message };
  if (wanted.kind === 'none' || snapshot.config === undefined) return undefined;
  const present = readTopology(snapshot.config).failover.state_provider;
  if (present === undefined || sameJson(toJson(present), toJson(wanted.config))) return undefined;
  if (sameJson(withoutCredentials(present), withoutCredentials(wanted.config))) {
    const secret = snapshot.cluster.spec.failover.stateProvider?.etcd?.credentialsSecretName;
    return {
      reason: 'CredentialsChangeUnsupported',
      message: `The user name and password of the state provider cannot be changed yet: put those back with which the cluster was made${secret === undefined ? '' : `, in Secret ${secret}`}.`,
    };
  }
  return {
    reason: 'ProviderChangeUnsupported',
    message:
      'The state provider of a bootstrapped cluster cannot be changed yet: set spec.failover.stateProvider back.',
  };
}

function withoutCredentials(provider: StateProviderConfig): Json {
  const known = Object.entries(provider).filter(([field]) => !CREDENTIALS.includes(field));
  return toJson(Object.fromEntries(known));
}

/** The memory of leadership would have to move between the provider and the instances, in one change. */
function refuseChangeOfMode(snapshot: ClusterSnapshot): Reason | undefined {
  if (snapshot.config === undefined) return undefined;
  const present = readTopology(snapshot.config).failover.mode;
  const { mode } = snapshot.cluster.spec.failover;
  if (mode.toLowerCase() === present) return undefined;
  return {
    reason: 'FailoverModeChangeUnsupported',
    message: `spec.failover.mode of a bootstrapped cluster cannot be changed yet, and it runs with "${present}": set it back.`,
  };
}

/** A new Cluster over old claims meets the number that they were made with. */
function refuseBucketCount(snapshot: ClusterSnapshot): Reason | undefined {
  const present = defaultGroup(snapshot.config)?.bucket_count;
  const { bucketCount } = snapshot.cluster.spec;
  if (present === undefined || present === bucketCount) return undefined;
  return {
    reason: 'BucketCountFixed',
    message: `The data was made with ${present} buckets, not ${bucketCount}: set spec.bucketCount to ${present}.`,
  };
}
