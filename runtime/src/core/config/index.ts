/** What the operator shares with instances: it computes the same configs and drives the same change coordinator. */
export {
  assignBuckets,
  type BootstrappedGroup,
  bootstrapGroup,
} from '../topology/assign-buckets.ts';
export {
  addReplicaSet,
  editInstance,
  editReplicaSet,
  expelInstance,
  type InstancePatch,
  joinInstance,
  membersOf,
  type NewInstance,
  type NewReplicaSet,
  type ReplicaSetPatch,
  type TopologyEdit,
} from '../topology/edit-topology.ts';
export {
  refusalOfIssues,
  type ValidationContext,
  validateConfig,
} from '../topology/validate-config.ts';
export type { ConfigIssue } from '../topology/validation-view.ts';
export {
  type AppliedPatch,
  applyPatch,
  buildConfig,
  checksumSections,
  type PatchedSections,
  type PatchMeta,
  patchSections,
  sameVersion,
  versionOf,
} from './apply-patch.ts';
export { canonicalJson, hashJson, sameJson } from './canonical-json.ts';
export { type ChangeWish, computeChangeId } from './change-id.ts';
export { decideParticipants, type ParticipantsAnswer } from './decide-participants.ts';
export { type PlannedChange, planChange } from './plan-change.ts';
export { stateProviderOf, topologyOf, toSection, vshardGroupsOf } from './read-sections.ts';
export {
  type FinishedTwoPhase,
  isFinished,
  startTwoPhase,
  stepTwoPhase,
  type TwoPhaseEffect,
  type TwoPhaseEvent,
  type TwoPhaseMessage,
  type TwoPhaseState,
  type TwoPhaseStep,
} from './two-phase.ts';
