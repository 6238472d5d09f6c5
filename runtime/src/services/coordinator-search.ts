/** Finds the active coordinator by asking all that may be it, and passes a promotion on to it. */
import { z } from 'zod';
import type { Topology } from '../contract/cluster-config.ts';
import { ClusterError } from '../core/errors.ts';
import { addressOf } from '../core/failover/leader-order.ts';
import { PeerError, type Peers } from '../ports/peers.ts';
import { COORDINATOR_ROLE } from './coordinator-service.ts';
import type { KnownLeader } from './leadership-engine.ts';
import { type PromotionRequest, promotionLimitMs } from './manual-promotions.ts';
import { handoverTimeoutMs } from './voluntary-handovers.ts';

const leaderSchema = z.object({ uuid: z.string(), term: z.int() });
const troubleSchema = z.object({ trouble: z.string() });

interface Refused {
  readonly name: string;
  readonly error: unknown;
}

export class CoordinatorSearch {
  readonly #peers: Peers;

  constructor(options: { readonly peers: Peers }) {
    this.#peers = options.peers;
  }

  async promote(topology: Topology, request: PromotionRequest): Promise<KnownLeader> {
    const ttlMs = topology.failover.fencing_ttl * 1000;
    const timeoutMs = promotionLimitMs(ttlMs) + handoverTimeoutMs(ttlMs);
    const refused: Refused[] = [];
    const asked = coordinatorsOf(topology).map(async ({ uuid, name }) => {
      const address = addressOf(topology, uuid) ?? '';
      try {
        const call = this.#peers.call(address, 'coordinator.promote', request, { timeoutMs });
        return leaderSchema.parse(await call);
      } catch (error) {
        refused.push({ name, error });
        throw error;
      }
    });
    try {
      return await Promise.any(asked);
    } catch {
      throw whyNobody(refused);
    }
  }
}

function coordinatorsOf(
  topology: Topology,
): readonly { readonly uuid: string; readonly name: string }[] {
  return Object.entries(topology.servers).flatMap(([uuid, server]) => {
    if (server === 'expelled' || server.disabled) return [];
    const roles = topology.replicasets[server.replicaset_uuid]?.roles ?? [];
    return roles.includes(COORDINATOR_ROLE) ? [{ uuid, name: server.alias }] : [];
  });
}

/** What the active one said; if none was active, why. */
function whyNobody(refused: readonly Refused[]): unknown {
  const said = refused.find(({ error }) => !isAbsence(error));
  if (said !== undefined) return said.error;
  const inactive = refused.flatMap(({ error }) => (error instanceof ClusterError ? [error] : []));
  const troubles = inactive.flatMap(
    ({ details }) => troubleSchema.safeParse(details).data?.trouble ?? [],
  );
  if (troubles[0] !== undefined) {
    return new ClusterError('PROVIDER_UNAVAILABLE', {
      message: `The replica set has no leader that could hand over, and the state provider does not answer the coordinators: ${troubles[0]}. Nobody can be appointed until it does.`,
    });
  }
  const names = refused.map(({ name }) => name).join(', ');
  const why =
    names === ''
      ? `no enabled instance has the role ${COORDINATOR_ROLE}; enable it on a replica set`
      : `none of ${names} is an active coordinator; start one of them, or ask again when its lock has run out`;
  return new ClusterError('NO_COORDINATOR', {
    message: `The replica set has no leader that could hand over, and nobody can appoint one: ${why}.`,
  });
}

function isAbsence(error: unknown): boolean {
  if (error instanceof PeerError) return true;
  const codes = ['NO_COORDINATOR', 'NOT_FOUND', 'PEER_UNREACHABLE', 'UNAUTHORIZED'];
  return error instanceof ClusterError && codes.includes(error.code);
}
