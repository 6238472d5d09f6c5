/** What an instance says of the others as it knows them by gossip. */
import type { GossipView } from '../contract/instance-status.ts';
import type { MembershipService } from './membership-service.ts';

export function describeMembership(service: MembershipService): GossipView[] {
  return service.heard().map(({ entry, sinceMs, clockDeltaMs }) => {
    const { uri, status, incarnation, payload } = entry;
    return {
      uri,
      uuid: payload['uuid'] ?? null,
      alias: payload['alias'] ?? null,
      status,
      incarnation,
      state: payload['state'] ?? null,
      since: new Date(sinceMs).toISOString(),
      clockDeltaMs: clockDeltaMs ?? null,
    };
  });
}
