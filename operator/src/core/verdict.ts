/**
 * What a rule may answer, and what a plan may do. Every verdict says why, so that the trace of a reconcile, the
 * conditions of the object and the tests read the same words.
 */
import type { Sections } from '@tonearm/runtime/contract';
import type { Edit } from './config-draft.ts';
import type { ClusterSnapshot } from './snapshot.ts';

/** Why, as one CamelCase word for programs and a sentence for people that names the object and the next command. */
export interface Reason {
  readonly reason: string;
  readonly message: string;
}

export type Verdict =
  /** Something is to be done now. */
  | ({ readonly kind: 'act'; readonly actions: readonly Action[] } & Reason)
  /** The cluster config should be edited. All edits of one round make one change. */
  | ({ readonly kind: 'edit'; readonly edit: Edit } & Reason)
  /** Nothing can be done before the world has moved on. */
  | ({ readonly kind: 'wait'; readonly requeueAfterMs: number } & Reason)
  /** What is wanted will not be done; the other rules go on. */
  | ({ readonly kind: 'refuse' } & Reason)
  /** Something is wrong that is not the operator's to repair. */
  | ({ readonly kind: 'complain' } & Reason)
  /** No later rule is asked in this round. */
  | ({ readonly kind: 'stop'; readonly refused: boolean } & Reason);

/** Kinds of objects that plans write; `api/resources.ts` tells where they are found. */
export type AppliedKind = 'replicaSets' | 'statefulSets' | 'services';

export interface Intent {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly [field: string]: unknown;
  };
  readonly [field: string]: unknown;
}

/** An instance that takes part in a change, and where it answers. */
export interface ChangeTarget {
  readonly uuid: string;
  readonly name: string;
  readonly address: string;
}

export type Action =
  | { readonly kind: 'apply'; readonly resource: AppliedKind; readonly intent: Intent }
  /** With the operator's keys from the start: a mounted Secret shows a change only after a minute. */
  | { readonly kind: 'create-cookie'; readonly name: string; readonly keys: string }
  | { readonly kind: 'publish-operator-key'; readonly name: string; readonly keys: string }
  | { readonly kind: 'scale'; readonly replicaSet: string; readonly replicas: number }
  | { readonly kind: 'delete-replica-set'; readonly name: string; readonly uid: string }
  | { readonly kind: 'add-finalizer'; readonly name: string }
  | { readonly kind: 'drop-finalizer'; readonly name: string }
  | {
      readonly kind: 'event';
      readonly regarding: { readonly kind: 'Cluster' | 'ReplicaSet'; readonly name: string };
      readonly type: 'Normal' | 'Warning';
      readonly reason: string;
      readonly action: string;
      readonly note: string;
    }
  | {
      readonly kind: 'promote';
      readonly address: string;
      readonly replicaSetUuid: string;
      readonly to: string;
    }
  | { readonly kind: 'tell-expelled'; readonly address: string; readonly instance: string }
  /** A commit that some instance has seen reaches those that still wait for it. */
  | {
      readonly kind: 'finish-change';
      readonly changeId: string;
      readonly addresses: readonly string[];
    }
  | ChangeAction;

export interface ChangeAction {
  readonly kind: 'change';
  /** Identifies the wish: base, wanted sections and generation. */
  readonly wish: string;
  readonly sections: Sections;
  /** Where instances answer: more than take part, so that a participant is always among them. */
  readonly targets: readonly ChangeTarget[];
  /** UUIDs of instances that are known to be down, and may be left out. */
  readonly missing: readonly string[];
  readonly message: string;
}

/** No verdict: what the rule asks for is so already. */
export type Rule = (snapshot: ClusterSnapshot) => readonly Verdict[];

/** While something is under way it is looked at this often: long enough for a pod, short enough for a person. */
export const POLL_MS = 1000;

export function act(actions: readonly Action[], reason: string, message: string): Verdict {
  return { kind: 'act', actions, reason, message };
}

export function wait(reason: string, message: string, requeueAfterMs = POLL_MS): Verdict {
  return { kind: 'wait', requeueAfterMs, reason, message };
}
