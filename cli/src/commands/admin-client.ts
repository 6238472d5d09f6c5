/** Calls the admin API of an instance; what it refuses is told with what helps. */
import { errorBodySchema } from '@tonearm/runtime/contract';
import type { z } from 'zod';
import { CommandError } from '../command-error.ts';
import type { AdminTarget } from './admin-target.ts';

export interface AdminCall<T extends z.ZodType> {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: unknown;
  readonly answer: T;
}

/** Longer than any promotion may take. */
const TIMEOUT_MS = 60_000;

/** Beyond what the message says by itself. */
const HELP: Readonly<Record<string, string>> = {
  UNAUTHORIZED: 'Give the cookie of this cluster with --cookie-file, or in TONEARM_CLUSTER_COOKIE.',
  NOT_IN_SYNC: 'See "tonearm failover status" for who is in sync.',
  NO_COORDINATOR: 'See "tonearm failover status" for who does not answer.',
  PROVIDER_UNAVAILABLE: 'Leaders go on meanwhile: see "tonearm failover status".',
  PROMOTION_PENDING: 'See "tonearm failover status".',
};

export async function callAdmin<T extends z.ZodType>(
  { url, cookie }: AdminTarget,
  { method, path, body, answer }: AdminCall<T>,
): Promise<z.output<T>> {
  const response = await send(url, path, {
    method,
    signal: AbortSignal.timeout(TIMEOUT_MS),
    headers: {
      authorization: `Basic ${Buffer.from(`admin:${cookie}`).toString('base64')}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const said: unknown = await response.json().catch(() => undefined);
  if (!response.ok) throw refusal(`${url}${path}`, response.status, said);
  const parsed = answer.safeParse(said);
  if (parsed.success) return parsed.data;
  throw new CommandError(
    `${url}${path} gives an answer that this command does not know: is it the HTTP port of an instance, of the same version?`,
  );
}

async function send(url: string, path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(`${url}${path}`, init);
  } catch (error) {
    const { message, cause } = error as Error;
    const why = cause instanceof Error && cause.message !== '' ? cause.message : message;
    throw new CommandError(
      `no instance answers at ${url} (${why}): any instance of the cluster will do`,
    );
  }
}

function refusal(address: string, status: number, said: unknown): CommandError {
  const { data } = errorBodySchema.safeParse(said);
  if (data === undefined) {
    return new CommandError(
      `${address} answers ${status}: is it the HTTP port of an instance, of the same version?`,
    );
  }
  const help = HELP[data.code];
  return new CommandError(`${data.message} (${data.code})${help === undefined ? '' : `\n${help}`}`);
}
