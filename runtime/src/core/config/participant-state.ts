/** What a participant of a two-phase change holds, is asked, and has done: see `two-phase-participant.ts`. */
import type { ClusterConfig } from '../../contract/cluster-config.ts';
import type {
  Change,
  ChangeState,
  PrepareAnswer,
  PrepareRequest,
  Refusal,
} from '../../contract/two-phase.ts';
import type { DecisionKind, KnownDecision, ParticipantView } from './decisions.ts';

export interface Lock {
  readonly change: Change;
  readonly next: ClusterConfig;
}

/** What is on the disk of this instance. */
export interface Holdings {
  readonly active: ClusterConfig | undefined;
  readonly lock: Lock | undefined;
  /** Decisions of changes that this instance has heard of, oldest first. */
  readonly decisions: readonly KnownDecision[];
}

export interface ParticipantState extends Holdings {
  readonly self: { readonly uuid: string; readonly clusterUuid: string };
  readonly rules: ParticipantRules;
  readonly task: ParticipantTask | undefined;
}

/** The rules that a simulation breaks on purpose, to see that its checkers notice. */
export interface ParticipantRules {
  /** A decision is stored before it is installed. */
  readonly storeBeforeInstall: boolean;
  /** A lock stays until a decision is read. */
  readonly keepLockWhileUndecided: boolean;
  /** An abort that is known or stored is looked for, so that a late prepare takes no lock. */
  readonly refuseLatePrepare: boolean;
}

export const SAFE_RULES: ParticipantRules = {
  storeBeforeInstall: true,
  keepLockWhileUndecided: true,
  refuseLatePrepare: true,
};

export type ParticipantRequest =
  | { readonly kind: 'prepare'; readonly request: PrepareRequest }
  | { readonly kind: 'commit'; readonly changeId: string; readonly reason: string }
  | { readonly kind: 'abort'; readonly changeId: string; readonly reason: string }
  /** Nobody has asked about the held lock for a while. `views` is what all participants say, without a provider. */
  | {
      readonly kind: 'resolve';
      readonly changeId: string;
      readonly views: readonly ParticipantView[];
    }
  /** A newer config, of a change in which this instance did not take part; known to be the committed one. */
  | { readonly kind: 'catch-up'; readonly config: ClusterConfig };

export type ParticipantEvent =
  | ParticipantRequest
  | { readonly kind: 'validated'; readonly refusal: Refusal | undefined }
  | { readonly kind: 'lock-stored' }
  | {
      readonly kind: 'decision-read';
      readonly decision: DecisionKind | 'none';
      readonly reason: string;
    }
  /** The provider does not answer, or nothing can be concluded from it. */
  | { readonly kind: 'decision-failed'; readonly reason: string }
  | { readonly kind: 'remembered' }
  | { readonly kind: 'installed' }
  | { readonly kind: 'released' };

export type ParticipantEffect =
  | {
      readonly kind: 'validate';
      readonly next: ClusterConfig;
      readonly previous: ClusterConfig | undefined;
    }
  | { readonly kind: 'store-lock'; readonly lock: Lock }
  | { readonly kind: 'read-decision'; readonly changeId: string }
  /** Write the wished decision if none is stored; report the stored one. */
  | {
      readonly kind: 'decide';
      readonly changeId: string;
      readonly wish: DecisionKind;
      readonly reason: string;
    }
  | { readonly kind: 'remember'; readonly decisions: readonly KnownDecision[] }
  /** Make it the active config, durably. */
  | { readonly kind: 'install'; readonly from: 'lock' | 'peer'; readonly config: ClusterConfig }
  /** Remove the stored lock. */
  | { readonly kind: 'release' }
  | { readonly kind: 'done'; readonly outcome: ParticipantOutcome };

export type ParticipantOutcome =
  | { readonly kind: 'prepare-answer'; readonly answer: PrepareAnswer }
  /** `look`: the caller should look after the lock, or for a newer config, soon. */
  | { readonly kind: 'state'; readonly state: ChangeState; readonly look: boolean }
  /** The lock stays as it is; ask again later. */
  | { readonly kind: 'failed'; readonly reason: string };

export interface ParticipantStep {
  readonly state: ParticipantState;
  readonly effect: ParticipantEffect;
}

export type ParticipantTask =
  | { readonly kind: 'validating'; readonly lock: Lock }
  | { readonly kind: 'storing-lock'; readonly lock: Lock }
  | {
      readonly kind: 'deciding';
      readonly changeId: string;
      readonly forPrepare: boolean;
      /** The rule that a decision is stored first was broken on purpose. */
      readonly installedAlready?: boolean;
    }
  | {
      readonly kind: 'remembering';
      readonly decisions: readonly KnownDecision[];
      readonly decision: KnownDecision;
      readonly forPrepare: boolean;
    }
  | {
      readonly kind: 'installing';
      readonly config: ClusterConfig;
      readonly from: 'lock' | 'peer';
      readonly reason: string;
      readonly forPrepare: boolean;
      readonly decideAfter?: boolean;
    }
  | { readonly kind: 'releasing'; readonly changeId: string; readonly forPrepare: boolean };
