/**
 * From a wish to the request that every participant gets: the wanted config, who must prepare, where it is decided,
 * and the name of the change.
 */
import type { ClusterConfig, ConfigVersion } from '../../contract/cluster-config.ts';
import type { Change, ConfigPatch, PrepareRequest, Refusal } from '../../contract/two-phase.ts';
import { refusalOfIssues, validateConfig } from '../topology/validate-config.ts';
import {
  buildConfig,
  checksumSections,
  patchSections,
  sameVersion,
  staleBase,
  versionOf,
} from './apply-patch.ts';
import { computeChangeId } from './change-id.ts';
import { decideParticipants } from './decide-participants.ts';
import { stateProviderOf, topologyOf } from './read-sections.ts';

export interface Wish {
  readonly clusterUuid: string;
  readonly active: ClusterConfig | undefined;
  /** Left out: the present config. */
  readonly base?: ConfigVersion | undefined;
  readonly patch: ConfigPatch;
  readonly author: string;
  readonly message: string;
  /** ISO 8601. */
  readonly time: string;
  /** UUIDs of instances known to be down, which may be left out (`decide-participants.ts`). */
  readonly missing: readonly string[];
  readonly coordinator: string;
  /** The instance that coordinates cannot expel or disable itself (TOPO-09); left out by the operator. */
  readonly self?: string | undefined;
  readonly attempt: string;
  /** Do these roles, with their dependencies, store buckets? Left out where that is not known. */
  readonly storesBuckets?: ((roles: readonly string[]) => boolean) | undefined;
}

export type PlannedChange =
  | { readonly kind: 'change'; readonly request: PrepareRequest }
  /** The config is that already. */
  | { readonly kind: 'unchanged'; readonly config: ClusterConfig }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

export function planChange(wish: Wish): PlannedChange {
  const has = versionOf(wish.active);
  const base = wish.base ?? has;
  if (!sameVersion(base, has)) return { kind: 'refused', refusal: staleBase(has, base) };
  const patched = patchSections(wish.active?.sections ?? {}, wish.patch);
  if (patched.kind === 'refused') return patched;
  const { sections } = patched;
  const result = { version: base.version + 1, checksum: checksumSections(sections) };
  if (wish.active !== undefined && result.checksum === base.checksum) {
    return { kind: 'unchanged', config: wish.active };
  }
  const refusal = refusalOfIssues(
    validateConfig(sections, {
      previous: wish.active,
      self: wish.self,
      storesBuckets: wish.storesBuckets,
    }),
  );
  if (refusal !== undefined) return { kind: 'refused', refusal };

  const authority: Change['authority'] =
    stateProviderOf({ sections }) === undefined ? 'participants' : 'provider';
  const decided = decideParticipants({
    previous: topologyOf(wish.active),
    next: topologyOf({ sections }),
    authority,
    missing: wish.missing,
  });
  if (decided.kind === 'refused') {
    const message = `The change cannot begin: ${decided.reason}.`;
    return { kind: 'refused', refusal: { code: 'CONFIG_ABORTED', message } };
  }
  const { participants } = decided;
  const uuids = participants.map((participant) => participant.uuid);
  const { clusterUuid, coordinator, attempt, author, message, time } = wish;
  const changeId = computeChangeId({
    clusterUuid,
    base,
    result,
    authority,
    participants: uuids,
    coordinator,
    attempt,
  });
  const meta = { changeId, clusterUuid, base, author, message, time };
  const change = { ...meta, authority, participants: [...participants] };
  const full = buildConfig(sections, meta);
  return {
    kind: 'change',
    request: {
      change,
      result,
      patch: wish.patch,
      full: { meta: full.meta, sections: { ...full.sections } },
    },
  };
}
