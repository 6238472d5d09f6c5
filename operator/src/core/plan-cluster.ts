/**
 * What one reconcile of a Cluster should do, from one snapshot of everything it depends on.
 *
 * Read `rules` top to bottom: it is the table of contents of the operator. Each rule looks at the whole snapshot and
 * answers on its own; none remembers an earlier reconcile, so a plan need not survive a crash. A rule that stops ends
 * the round. Edits of the cluster config are gathered into one two-phase change.
 *
 * The plan is carried out in this order: status, then actions one after the other. What later rounds must find again
 * (the identity, the sections that are managed) is in the status, and so is stored before anyone acts on it.
 */
import type { ClusterStatus } from '../api/v1alpha1/cluster.ts';
import type { ReplicaSetStatus } from '../api/v1alpha1/replica-set.ts';
import { gatherChange } from './gather-change.ts';
import { assignBuckets } from './rules/assign-buckets.ts';
import { awaitFirstInstances } from './rules/await-first-instances.ts';
import { awaitLeavingPods } from './rules/await-leaving-pods.ts';
import { expelLastInstances } from './rules/expel-last-instances.ts';
import { finishChange } from './rules/finish-change.ts';
import { joinInstances } from './rules/join-instances.ts';
import { keepCookie } from './rules/keep-cookie.ts';
import { keepFailover } from './rules/keep-failover.ts';
import { keepReplicaSets } from './rules/keep-replica-sets.ts';
import { keepSections } from './rules/keep-sections.ts';
import { keepServices } from './rules/keep-services.ts';
import { keepSetConfig } from './rules/keep-set-config.ts';
import { keepStateProvider } from './rules/keep-state-provider.ts';
import { keepStatefulSets } from './rules/keep-stateful-sets.ts';
import { refuseTakenNames } from './rules/refuse-taken-names.ts';
import { refuseUnsupported } from './rules/refuse-unsupported.ts';
import { removeReplicaSets } from './rules/remove-replica-sets.ts';
import { reportHealth } from './rules/report-health.ts';
import { reportNoCoordinator } from './rules/report-no-coordinator.ts';
import { reportOldTemplates } from './rules/report-old-templates.ts';
import { settleIdentity } from './rules/settle-identity.ts';
import { skipWhenPaused } from './rules/skip-when-paused.ts';
import { tellExpelled } from './rules/tell-expelled.ts';
import type { ClusterSnapshot } from './snapshot.ts';
import { buildClusterStatus } from './status/build-cluster-status.ts';
import { buildReplicaSetStatuses } from './status/build-replica-set-status.ts';
import { explainReplicaSet, isReplicaSetMoving } from './status/replica-set-facts.ts';
import type { Action, Rule, Verdict } from './verdict.ts';
import { memberSets } from './wanted-sets.ts';

const rules: readonly Rule[] = [
  reportHealth,
  reportOldTemplates,
  reportNoCoordinator,

  // What can be done at all.
  settleIdentity,
  refuseUnsupported,
  refuseTakenNames,
  skipWhenPaused,

  // Objects of Kubernetes.
  keepCookie,
  keepStateProvider,
  keepServices,
  keepReplicaSets,
  keepStatefulSets,
  awaitLeavingPods,

  // The cluster config.
  finishChange,
  awaitFirstInstances,
  tellExpelled,
  removeReplicaSets,
  expelLastInstances,
  joinInstances,
  keepSetConfig,
  keepFailover,
  assignBuckets,
  keepSections,
];

export interface TraceEntry {
  readonly rule: string;
  readonly verdict: Verdict['kind'];
  readonly reason: string;
  readonly message: string;
}

export interface ClusterPlan {
  /** Left out when it is as it should be. */
  readonly status: ClusterStatus | undefined;
  /** Only of those that change, by name. */
  readonly replicaSetStatuses: ReadonlyMap<string, ReplicaSetStatus>;
  readonly actions: readonly Action[];
  readonly requeueAfterMs: number;
  readonly trace: readonly TraceEntry[];
}

/**
 * Pods tell of themselves by events; instances are asked even when nothing happens, as leadership moves without a word
 * to Kubernetes. Ten questions a second are little for the operator, however many instances there are.
 */
const IDLE_POLL_MS = { perInstance: 100, least: 3_000, most: 30_000 };
/** Something is wrong or refused: a person is at work, and looks. */
const TROUBLED_POLL_MS = 5_000;
/** What is in motion is looked at this often: after an action, and while instances tell something new each time. */
const MOVING_POLL_MS = 500;

export function planCluster(snapshot: ClusterSnapshot): ClusterPlan {
  const trace: TraceEntry[] = [];
  const verdicts: Verdict[] = [];
  for (const rule of rules) {
    const answers = rule(snapshot);
    verdicts.push(...answers);
    for (const { kind, reason, message } of answers) {
      trace.push({ rule: rule.name, verdict: kind, reason, message });
    }
    if (answers.some(({ kind }) => kind === 'stop')) break;
  }
  const change = gatherChange(snapshot, verdicts);
  for (const { kind, reason, message } of change) {
    trace.push({ rule: gatherChange.name, verdict: kind, reason, message });
  }
  const all = [...verdicts, ...change];
  const told = {
    status: buildClusterStatus(snapshot, all),
    replicaSetStatuses: buildReplicaSetStatuses(snapshot, all),
  };
  const isNews = told.status !== undefined || told.replicaSetStatuses.size > 0;
  return {
    ...told,
    actions: all.flatMap((verdict) => (verdict.kind === 'act' ? verdict.actions : [])),
    requeueAfterMs: Math.min(chooseRequeue(all), isNews ? MOVING_POLL_MS : choosePoll(snapshot)),
    trace,
  };
}

/** Instances come to rest by themselves within seconds, and no event of Kubernetes tells of it. */
function choosePoll(snapshot: ClusterSnapshot): number {
  const idleMs = idlePoll(snapshot);
  if (snapshot.config === undefined) return idleMs;
  const replicaSets = memberSets(snapshot);
  if (replicaSets.some((each) => isReplicaSetMoving(snapshot, each))) return MOVING_POLL_MS;
  const isServing = replicaSets.every((each) => explainReplicaSet(snapshot, each) === undefined);
  return isServing ? idleMs : Math.min(idleMs, TROUBLED_POLL_MS);
}

/** For how long a cluster is left alone that is as it should be, in milliseconds. */
export function idlePoll({ instances }: Pick<ClusterSnapshot, 'instances'>): number {
  const { perInstance, least, most } = IDLE_POLL_MS;
  return Math.min(Math.max(perInstance * instances.length, least), most);
}

function chooseRequeue(verdicts: readonly Verdict[]): number {
  const delays = verdicts.map((verdict) => {
    if (verdict.kind === 'act') return MOVING_POLL_MS;
    return verdict.kind === 'wait' ? verdict.requeueAfterMs : TROUBLED_POLL_MS;
  });
  return Math.min(IDLE_POLL_MS.most, ...delays);
}
