/** Instances that answer what they were given, by address; the others do not answer. */
import type { ClusterConfig, InstanceStatus } from '@tonearm/runtime/contract';
import type { KnownRole } from '../core/snapshot.ts';
import { type AdminApi, AdminApiError, type AdminTarget } from '../ports/admin-api.ts';

export interface GivenInstance {
  readonly status?: InstanceStatus;
  readonly config?: ClusterConfig;
  readonly roles?: readonly KnownRole[];
}

export class GivenAdminApi implements AdminApi {
  /** What was asked for, `method address`; with what was sent, where something was. */
  readonly asked: string[] = [];
  /** Thrown by every call while it is set. */
  fault: Error | undefined;
  readonly #instances: ReadonlyMap<string, GivenInstance>;

  constructor(instances: Readonly<Record<string, GivenInstance>> = {}) {
    this.#instances = new Map(Object.entries(instances));
  }

  async status(target: AdminTarget): Promise<InstanceStatus> {
    return this.#answer('status', target);
  }

  async roles(target: AdminTarget): Promise<readonly KnownRole[]> {
    return this.#answer('roles', target);
  }

  async config(target: AdminTarget): Promise<ClusterConfig> {
    return this.#answer('config', target);
  }

  promote: AdminApi['promote'] = async (target, promotion) =>
    this.#tell('promote', target, promotion);
  expelled: AdminApi['expelled'] = async (target, config) =>
    this.#tell('expelled', target, config.meta.version);
  commit: AdminApi['commit'] = async (target, request) => {
    this.#tell('commit', target, request);
    const config = { version: 1, checksum: '' };
    return { changeId: request.changeId, state: 'committed', reason: '', config };
  };

  prepare: AdminApi['prepare'] = unused;
  abort: AdminApi['abort'] = unused;
  changeState: AdminApi['changeState'] = unused;

  #tell(method: string, { address, clusterUuid }: AdminTarget, sent: unknown): void {
    if (this.fault !== undefined) throw this.fault;
    this.asked.push(`${method} ${address} of ${clusterUuid}: ${JSON.stringify(sent)}`);
  }

  #answer<K extends keyof GivenInstance>(
    method: K,
    { address }: AdminTarget,
  ): NonNullable<GivenInstance[K]> {
    if (this.fault !== undefined) throw this.fault;
    this.asked.push(`${method} ${address}`);
    const answer = this.#instances.get(address)?.[method];
    if (answer === undefined) throw new AdminApiError('UNREACHABLE', 'connection refused');
    return answer;
  }
}

function unused(): never {
  throw new AdminApiError('UNREACHABLE', 'these instances take part in no change');
}
