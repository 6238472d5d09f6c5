/** The status of a Cluster, from what the rules said; nothing when it says so already. */
import { sameJson } from '@tonearm/runtime/config';
import type { ClusterStatus } from '../../api/v1alpha1/cluster.ts';
import { toJson } from '../config-draft.ts';
import { clusterUuidOf } from '../identity.ts';
import { isBootstrapped } from '../progress.ts';
import type { ClusterSnapshot } from '../snapshot.ts';
import { wantedProvider } from '../state-provider.ts';
import { isSettled } from '../topology.ts';
import type { Verdict } from '../verdict.ts';
import { managedSections } from '../wanted-sections.ts';
import { isLeaving, memberSets } from '../wanted-sets.ts';
import { buildConditions, type Fact } from './conditions.ts';
import { explainReplicaSet, summarize } from './replica-set-facts.ts';

export function buildClusterStatus(
  snapshot: ClusterSnapshot,
  verdicts: readonly Verdict[],
): ClusterStatus | undefined {
  const before = snapshot.cluster.status;
  const generation = snapshot.cluster.metadata.generation ?? 0;
  // What was refused leaves no trace: an identity that is recorded can never be taken back.
  const stopped = verdicts.some((verdict) => verdict.kind === 'stop' && verdict.refused);
  const sets = memberSets(snapshot).map((replicaSet) => summarize(snapshot, replicaSet));
  const status: ClusterStatus = {
    observedGeneration: generation,
    ...(stopped ? recordedMemory(before) : memory(snapshot)),
    instances: sets.reduce((sum, { replicas }) => sum + replicas, 0),
    readyInstances: sets.reduce((sum, { readyReplicas }) => sum + readyReplicas, 0),
    replicaSets: sets,
    conditions: buildConditions(factsOf(snapshot, verdicts), {
      before: before?.conditions,
      generation,
      nowMs: snapshot.nowMs,
    }),
  };
  return before !== undefined && sameJson(toJson(before), toJson(status)) ? undefined : status;
}

type Memory = Pick<ClusterStatus, 'uuid' | 'stateProvider' | 'configVersion' | 'managedSections'>;

/** What later rounds read from the status. */
function memory(snapshot: ClusterSnapshot): Memory {
  const before = snapshot.cluster.status;
  const provider = wantedProvider(snapshot);
  const offered = provider.kind === 'usable' ? provider.provider : undefined;
  const settled = isSettled(snapshot) ? snapshot.config?.meta.version : undefined;
  return present({
    uuid: clusterUuidOf(snapshot),
    stateProvider: before?.stateProvider ?? offered,
    configVersion: settled ?? before?.configVersion,
    managedSections: [...managedSections(snapshot)],
  });
}

function recordedMemory(before: ClusterStatus | undefined): Memory {
  const { uuid, stateProvider, configVersion, managedSections: sections } = before ?? {};
  return present({ uuid, stateProvider, configVersion, managedSections: sections });
}

function present(
  fields: {
    readonly [Field in keyof Memory]-?: Memory[Field] | undefined;
  },
): Memory {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function factsOf(snapshot: ClusterSnapshot, verdicts: readonly Verdict[]): readonly Fact[] {
  return [
    ready(snapshot, verdicts),
    upToDate(verdicts),
    progressing(verdicts),
    degraded(verdicts),
    specValid(verdicts),
    bootstrapped(snapshot),
  ];
}

function ready(snapshot: ClusterSnapshot, verdicts: readonly Verdict[]): Fact {
  if (snapshot.config === undefined) {
    const why = verdicts.find(({ kind }) => kind === 'stop' || kind === 'wait' || kind === 'act');
    const message = why?.message ?? 'The cluster is being bootstrapped.';
    return isBootstrapped(snapshot)
      ? { type: 'Ready', status: 'Unknown', reason: 'ConfigUnknown', message }
      : { type: 'Ready', status: 'False', reason: why?.reason ?? 'Bootstrapping', message };
  }
  for (const replicaSet of memberSets(snapshot)) {
    const problem = isLeaving(snapshot, replicaSet)
      ? undefined
      : explainReplicaSet(snapshot, replicaSet);
    if (problem !== undefined) return { type: 'Ready', status: 'False', ...problem };
  }
  return { type: 'Ready', status: 'True', reason: 'Serving', message: 'Every replica set serves.' };
}

function upToDate(verdicts: readonly Verdict[]): Fact {
  const open = verdicts.find(({ kind }) => kind !== 'complain');
  if (open !== undefined) {
    return { type: 'UpToDate', status: 'False', reason: open.reason, message: open.message };
  }
  const message = 'Everything is as the spec says.';
  return { type: 'UpToDate', status: 'True', reason: 'Realised', message };
}

function progressing(verdicts: readonly Verdict[]): Fact {
  const open = verdicts.find(({ kind }) => kind === 'act' || kind === 'edit' || kind === 'wait');
  if (open !== undefined) {
    return { type: 'Progressing', status: 'True', reason: open.reason, message: open.message };
  }
  const message = 'Nothing is under way.';
  return { type: 'Progressing', status: 'False', reason: 'Settled', message };
}

/** At most three complaints: the first one repaired, the next comes up. */
const COMPLAINTS_SHOWN = 3;

function degraded(verdicts: readonly Verdict[]): Fact {
  const complaints = verdicts.filter(({ kind }) => kind === 'complain');
  const [first] = complaints;
  if (first === undefined) {
    return { type: 'Degraded', status: 'False', reason: 'Healthy', message: 'Nothing is wrong.' };
  }
  const shown = complaints.slice(0, COMPLAINTS_SHOWN).map(({ message }) => message);
  const more = complaints.length - shown.length;
  const message = more > 0 ? `${shown.join(' ')} And ${more} more.` : shown.join(' ');
  return { type: 'Degraded', status: 'True', reason: first.reason, message };
}

function specValid(verdicts: readonly Verdict[]): Fact {
  const refusal = verdicts.find(
    (verdict) => verdict.kind === 'refuse' || (verdict.kind === 'stop' && verdict.refused),
  );
  if (refusal !== undefined) {
    return { type: 'SpecValid', status: 'False', reason: refusal.reason, message: refusal.message };
  }
  const message = 'Everything in the spec can be done.';
  return { type: 'SpecValid', status: 'True', reason: 'Accepted', message };
}

function bootstrapped(snapshot: ClusterSnapshot): Fact {
  if (isBootstrapped(snapshot)) {
    const message = 'The cluster has a config and its buckets have owners.';
    return { type: 'Bootstrapped', status: 'True', reason: 'Bootstrapped', message };
  }
  const message = 'The cluster has no config yet.';
  return { type: 'Bootstrapped', status: 'False', reason: 'NotBootstrapped', message };
}
