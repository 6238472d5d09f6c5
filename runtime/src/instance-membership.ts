/** Wires gossip: UDP on the number of the binary port, what the instance tells of itself, and who is believed in. */
import { UdpDatagrams } from './adapters/udp-datagrams.ts';
import type { ClusterConfig } from './contract/cluster-config.ts';
import type { InstanceIdentity } from './contract/identity.ts';
import type { GossipView, InstanceStateName } from './contract/instance-status.ts';
import { topologyOf } from './core/config/read-sections.ts';
import type { InstanceOptions } from './core/options/instance-options.ts';
import { systemClock } from './foundation/clock.ts';
import type { Logger } from './foundation/logger.ts';
import { systemRandom } from './foundation/random.ts';
import { describeMembership } from './services/describe-membership.ts';
import { MembershipService } from './services/membership-service.ts';
import { within } from './services/within.ts';

export interface InstanceMembershipOptions {
  readonly settings: InstanceOptions;
  readonly identity: InstanceIdentity;
  readonly logger: Logger;
}

/** The others hear of the end at once or find out by themselves. */
const LEAVE_MS = 200;

export class InstanceMembership {
  readonly service: MembershipService;

  /** Rejects when the port is taken: others would never hear of this instance [MEM-01]. */
  static async open(options: InstanceMembershipOptions): Promise<InstanceMembership> {
    const { httpHost, uri } = options.settings;
    const port = Number(uri.slice(uri.lastIndexOf(':') + 1));
    return new InstanceMembership(options, await UdpDatagrams.bind({ host: httpHost, port }));
  }

  private constructor(options: InstanceMembershipOptions, datagrams: UdpDatagrams) {
    const { settings, identity, logger } = options;
    this.service = new MembershipService({
      ...{ datagrams, clock: systemClock, random: systemRandom, logger },
      uri: settings.uri,
      incarnation: identity.incarnation,
      clusterUuid: identity.clusterUuid,
    });
    this.service.setPayload('uuid', identity.uuid);
    this.service.setPayload('alias', settings.instanceName);
  }

  readonly stateChanged = (state: InstanceStateName): void => {
    this.service.setPayload('state', state);
  };

  configure(config: ClusterConfig | undefined): void {
    if (config === undefined) return;
    const { servers, failover } = topologyOf(config);
    const uris = Object.values(servers).flatMap((server) =>
      server === 'expelled' ? [] : [server.uri],
    );
    this.service.configure(uris, failover.failover_timeout * 1000);
  }

  view(): GossipView[] {
    return describeMembership(this.service);
  }

  leave(): Promise<unknown> {
    return within(systemClock, LEAVE_MS, this.service.leave());
  }

  close(): Promise<void> {
    return this.service.close();
  }
}
