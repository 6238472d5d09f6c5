import type { ConfigVersion } from '../../contract/cluster-config.ts';
import type { Change } from '../../contract/two-phase.ts';
import { hashJson } from './canonical-json.ts';

export interface ChangeWish {
  readonly clusterUuid: string;
  readonly base: ConfigVersion;
  readonly result: ConfigVersion;
  readonly authority: Change['authority'];
  /** UUIDs of all who must prepare. */
  readonly participants: readonly string[];
  /** Who asks: an instance's UUID, or a name of the operator that survives its restarts. */
  readonly coordinator: string;
  /** Counts the wishes of this coordinator that were aborted before; anything that it will find again. */
  readonly attempt: string;
}

/**
 * The name of a change. The same wish of the same coordinator has the same name, so a restarted one goes on with it.
 * The participants are part of it: whoever resolves a change by asking them must ask the same ones as everyone else.
 */
export function computeChangeId(wish: ChangeWish): string {
  return hashJson({
    clusterUuid: wish.clusterUuid,
    base: wish.base,
    result: wish.result,
    authority: wish.authority,
    participants: wish.participants.toSorted(),
    coordinator: wish.coordinator,
    attempt: wish.attempt,
  });
}
