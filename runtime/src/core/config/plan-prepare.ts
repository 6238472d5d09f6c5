/**
 * What a `prepare` means to a participant, before anything is validated or stored: computes the wanted config by
 * itself and compares, so that every instance that prepares holds the same one.
 */
import type { ClusterConfig } from '../../contract/cluster-config.ts';
import type { Json } from '../../contract/json.ts';
import type { Change, PrepareAnswer, PrepareRequest, Refusal } from '../../contract/two-phase.ts';
import {
  applyPatch,
  buildConfig,
  checksumSections,
  sameVersion,
  staleBase,
  versionOf,
} from './apply-patch.ts';
import { canonicalJson, sameJson } from './canonical-json.ts';
import { enabledParticipants, stateProviderOf, topologyOf } from './read-sections.ts';

interface PreparedChange {
  readonly change: Change;
  readonly next: ClusterConfig;
}

export interface PrepareContext {
  readonly self: { readonly uuid: string; readonly clusterUuid: string };
  readonly active: ClusterConfig | undefined;
  readonly lock: PreparedChange | undefined;
}

export type PreparePlan =
  | { readonly kind: 'answer'; readonly answer: PrepareAnswer }
  | { readonly kind: 'locked-already'; readonly lock: PreparedChange }
  | { readonly kind: 'validate'; readonly lock: PreparedChange };

export function planPrepare(context: PrepareContext, request: PrepareRequest): PreparePlan {
  const { change } = request;
  const { lock } = context;
  if (lock?.change.changeId === change.changeId) {
    if (sameAgreement(lock.change, change)) return { kind: 'locked-already', lock };
    return refused('CONFIG_INVALID', 'Another change with the same id is prepared here.', 'change');
  }
  if (lock !== undefined) {
    return refused(
      'CONFIG_LOCKED',
      `Instance ${context.self.uuid} has prepared change ${lock.change.changeId.slice(0, 12)} by ` +
        `"${lock.change.author}" and waits for its decision. Try again when it is settled.`,
    );
  }
  const stranger = refuseStranger(context, change);
  if (stranger !== undefined) return stranger;

  const computed = computeNext(context, request);
  if (computed.kind !== 'next') return computed;
  const { next } = computed;
  if (next.meta.checksum !== request.result.checksum) {
    return refused(
      'CONFIG_INVALID',
      `The patch makes another config here (${next.meta.checksum.slice(0, 8)}) than announced ` +
        `(${request.result.checksum.slice(0, 8)}). All instances must run the same version.`,
      'result',
    );
  }
  return { kind: 'validate', lock: { change, next } };
}

function refuseStranger(context: PrepareContext, change: Change): PreparePlan | undefined {
  const { self } = context;
  if (change.clusterUuid !== self.clusterUuid) {
    return refused(
      'CONFIG_INVALID',
      `The change is for cluster ${change.clusterUuid}, and this instance belongs to ${self.clusterUuid}.`,
      'change.clusterUuid',
    );
  }
  if (change.participants.some((participant) => participant.uuid === self.uuid)) return undefined;
  return refused(
    'CONFIG_INVALID',
    `Instance ${self.uuid} is not among the participants of the change: another one answers at its address.`,
    'change.participants',
  );
}

type ComputedNext = PreparePlan | { readonly kind: 'next'; readonly next: ClusterConfig };

function computeNext(context: PrepareContext, request: PrepareRequest): ComputedNext {
  const { change, full } = request;
  const has = versionOf(context.active);
  if (sameVersion(has, change.base)) {
    const applied = applyPatch(context.active, request.patch, change);
    if (applied.kind === 'refused') return { kind: 'answer', answer: applied };
    return { kind: 'next', next: applied.config };
  }
  if (has.version >= change.base.version) {
    return { kind: 'answer', answer: { kind: 'refused', refusal: staleBase(has, change.base) } };
  }
  if (full === undefined) return { kind: 'answer', answer: { kind: 'base-differs', has } };
  if (checksumSections(full.sections) !== full.meta.checksum) {
    return refused('CONFIG_INVALID', 'The checksum does not belong to the config.', 'full');
  }
  return { kind: 'next', next: buildConfig(full.sections, change) };
}

/**
 * Everyone must agree on where the decision is kept, and on who must have prepared where nobody keeps it.
 * `next` has been validated.
 */
export function refuseAuthority(
  active: ClusterConfig | undefined,
  { change, next }: PreparedChange,
): Refusal | undefined {
  const before = stateProviderOf(active);
  const after = stateProviderOf(next);
  if (active !== undefined && !sameJson(before as Json | undefined, after as Json | undefined)) {
    return refusal(
      'NOT_SUPPORTED',
      'The state provider of a cluster cannot be changed: decisions and leadership are kept there. ' +
        'Leave it as it is.',
      'sections.topology.failover.state_provider',
    );
  }
  const authority = after === undefined ? 'participants' : 'provider';
  if (change.authority !== authority) {
    return refusal(
      'CONFIG_INVALID',
      `The decision must be kept by the ${authority}, not by the ${change.authority}.`,
      'change.authority',
    );
  }
  if (authority === 'provider') return undefined;
  const needed = [
    ...enabledParticipants(topologyOf(active)),
    ...enabledParticipants(topologyOf(next)),
  ];
  const left = needed.find(
    (one) => !change.participants.some((participant) => participant.uuid === one.uuid),
  );
  if (left === undefined) return undefined;
  return refusal(
    'CONFIG_INVALID',
    `Without a state provider every enabled instance must prepare, but ${left.uuid} is left out.`,
    'change.participants',
  );
}

/** What must be equal between two prepares of one change; author, message and addresses may differ. */
function sameAgreement(a: Change, b: Change): boolean {
  const essence = (change: Change): string =>
    canonicalJson({
      base: change.base,
      authority: change.authority,
      participants: change.participants.map((participant) => participant.uuid).toSorted(),
    });
  return essence(a) === essence(b);
}

function refused(code: string, message: string, field?: string): PreparePlan {
  return {
    kind: 'answer',
    answer: { kind: 'refused', refusal: refusal(code, message, field) },
  };
}

function refusal(code: string, message: string, field?: string): Refusal {
  return field === undefined ? { code, message } : { code, message, field };
}
