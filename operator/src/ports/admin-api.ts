/**
 * What the operator asks of instances. Every call has a deadline of its own and is tried once: the machine or the next
 * reconcile knows better whether and when to ask again.
 */
import type {
  ChangeState,
  ClusterConfig,
  FinishRequest,
  InstanceStatus,
  PrepareAnswer,
  PrepareRequest,
} from '@tonearm/runtime/contract';
import type { KnownRole } from '../core/snapshot.ts';

export interface AdminTarget {
  /** `host:port` of the instance's HTTP server. */
  readonly address: string;
  /** Whom the token is for: an instance of another cluster refuses it. */
  readonly clusterUuid: string;
}

export interface Promotion {
  readonly replicaSetUuid: string;
  /** The instance that is to lead; left out: whoever fits best. */
  readonly to?: string;
}

/** Every method throws an AdminApiError and nothing else. */
export interface AdminApi {
  status(target: AdminTarget): Promise<InstanceStatus>;
  /** Roles that the application brings, with their direct dependencies. */
  roles(target: AdminTarget): Promise<readonly KnownRole[]>;
  config(target: AdminTarget): Promise<ClusterConfig>;
  prepare(target: AdminTarget, request: PrepareRequest): Promise<PrepareAnswer>;
  commit(target: AdminTarget, request: FinishRequest): Promise<ChangeState>;
  abort(target: AdminTarget, request: FinishRequest): Promise<ChangeState>;
  changeState(target: AdminTarget, changeId: string): Promise<ChangeState>;
  promote(target: AdminTarget, promotion: Promotion): Promise<void>;
  /** Tells an instance that the config does not have it any more. */
  expelled(target: AdminTarget, config: ClusterConfig): Promise<void>;
}

export class AdminApiError extends Error {
  override readonly name = 'AdminApiError';
  /** A code of the instance's catalogue; `UNREACHABLE` without an answer, `ANSWER_INVALID` for one of another form. */
  readonly code: string;

  constructor(code: string, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}
