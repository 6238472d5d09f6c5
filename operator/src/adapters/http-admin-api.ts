/** The admin API of instances over HTTP and JSON, with one pool of connections for all of them. */
import {
  type ChangeState,
  type ClusterConfig,
  changeStateSchema,
  clusterConfigSchema,
  errorBodySchema,
  type FinishRequest,
  type InstanceStatus,
  instanceStatusSchema,
  type PrepareAnswer,
  type PrepareRequest,
  prepareAnswerSchema,
} from '@tonearm/runtime/contract';
import { Agent, request } from '@tonearm/runtime/http-client';
import { z } from 'zod';
import type { KnownRole } from '../core/snapshot.ts';
import {
  type AdminApi,
  AdminApiError,
  type AdminTarget,
  type Promotion,
} from '../ports/admin-api.ts';
import type { OperatorTokens } from './operator-tokens.ts';

/** An instance that takes longer is as good as silent; statuses are asked of many. */
const STATUS_TIMEOUT_MS = 2000;
/** A prepare validates and syncs files, a handover waits for the successor. */
const ACTION_TIMEOUT_MS = 10_000;
/** Longer than the leader itself gives a handover. */
const PROMOTE_TIMEOUT_MS = 20_000;
const CONNECT_TIMEOUT_MS = 2000;
/** Below the instances' own keep-alive, so that a connection is not closed just when it is used. */
const KEEP_ALIVE_MS = 4000;

const rolesSchema = z.object({
  roles: z.array(z.object({ name: z.string(), dependencies: z.array(z.string()) })),
});

interface Call<T> {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: unknown;
  readonly timeoutMs: number;
  readonly answer: z.ZodType<T>;
}

export class HttpAdminApi implements AdminApi {
  readonly #tokens: OperatorTokens;
  readonly #agent = new Agent({
    connect: { timeout: CONNECT_TIMEOUT_MS },
    keepAliveTimeout: KEEP_ALIVE_MS,
  });

  constructor(tokens: OperatorTokens) {
    this.#tokens = tokens;
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  status(target: AdminTarget): Promise<InstanceStatus> {
    return this.#call(target, {
      method: 'GET',
      path: '/admin/status',
      timeoutMs: STATUS_TIMEOUT_MS,
      answer: instanceStatusSchema,
    });
  }

  async roles(target: AdminTarget): Promise<readonly KnownRole[]> {
    const { roles } = await this.#call(target, {
      method: 'GET',
      path: '/admin/roles',
      timeoutMs: STATUS_TIMEOUT_MS,
      answer: rolesSchema,
    });
    return roles;
  }

  config(target: AdminTarget): Promise<ClusterConfig> {
    return this.#call(target, {
      method: 'GET',
      // With passwords: a config that is made from it must not lose them.
      path: '/admin/cluster-config?secrets=shown',
      timeoutMs: ACTION_TIMEOUT_MS,
      answer: clusterConfigSchema,
    });
  }

  prepare(target: AdminTarget, body: PrepareRequest): Promise<PrepareAnswer> {
    return this.#post(target, {
      path: '/admin/twophase/prepare',
      body,
      answer: prepareAnswerSchema,
    });
  }

  commit(target: AdminTarget, body: FinishRequest): Promise<ChangeState> {
    return this.#post(target, { path: '/admin/twophase/commit', body, answer: changeStateSchema });
  }

  abort(target: AdminTarget, body: FinishRequest): Promise<ChangeState> {
    return this.#post(target, { path: '/admin/twophase/abort', body, answer: changeStateSchema });
  }

  changeState(target: AdminTarget, changeId: string): Promise<ChangeState> {
    return this.#call(target, {
      method: 'GET',
      path: `/admin/twophase/${encodeURIComponent(changeId)}`,
      timeoutMs: STATUS_TIMEOUT_MS,
      answer: changeStateSchema,
    });
  }

  async promote(target: AdminTarget, body: Promotion): Promise<void> {
    await this.#call(target, {
      method: 'POST',
      path: '/admin/promote',
      body,
      timeoutMs: PROMOTE_TIMEOUT_MS,
      answer: z.unknown(),
    });
  }

  async expelled(target: AdminTarget, config: ClusterConfig): Promise<void> {
    const body = { config };
    await this.#post(target, { path: '/admin/expelled', body, answer: z.unknown() });
  }

  #post<T>(target: AdminTarget, call: Pick<Call<T>, 'path' | 'body' | 'answer'>): Promise<T> {
    return this.#call(target, { method: 'POST', timeoutMs: ACTION_TIMEOUT_MS, ...call });
  }

  async #call<T>(target: AdminTarget, call: Call<T>): Promise<T> {
    const { status, text } = await this.#exchange(target, call);
    const body = parseJson(text);
    if (status >= 300) throw refusalOf(target, status, body);
    const answer = call.answer.safeParse(body);
    if (answer.success) return answer.data;
    throw new AdminApiError(
      'ANSWER_INVALID',
      `${target.address} answered ${call.path} in an unknown form: ${z.prettifyError(answer.error)}`,
    );
  }

  async #exchange<T>(
    { address, clusterUuid }: AdminTarget,
    call: Call<T>,
  ): Promise<{ readonly status: number; readonly text: string }> {
    try {
      const response = await request(`http://${address}${call.path}`, {
        dispatcher: this.#agent,
        method: call.method,
        headers: {
          authorization: `Bearer ${this.#tokens.tokenFor(clusterUuid)}`,
          accept: 'application/json',
          ...(call.body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        body: call.body === undefined ? null : JSON.stringify(call.body),
        signal: AbortSignal.timeout(call.timeoutMs),
      });
      return { status: response.statusCode, text: await response.body.text() };
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new AdminApiError('UNREACHABLE', `${address} does not answer: ${reason}`, error);
    }
  }
}

function refusalOf({ address }: AdminTarget, status: number, body: unknown): AdminApiError {
  const refusal = errorBodySchema.safeParse(body);
  if (!refusal.success) return new AdminApiError('ANSWER_INVALID', `${address} answered ${status}`);
  return new AdminApiError(refusal.data.code, refusal.data.message);
}

function parseJson(text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    // Not from an instance: the schema that checks it says so.
    return text;
  }
}
