/** Answers of an API server that are no success, as KubeErrors. */
import { z } from 'zod';
import { KubeError } from '../ports/kube.ts';
import type { TransportResponse } from './kube-transport.ts';

const statusSchema = z.object({
  kind: z.literal('Status'),
  message: z.string().optional(),
  reason: z.string().optional(),
  code: z.number().optional(),
  details: z
    .object({
      retryAfterSeconds: z.number().optional(),
      causes: z
        .array(z.object({ field: z.string().default(''), message: z.string().default('') }))
        .optional(),
    })
    .optional(),
});

/** A proxy in between answers with pages of its own; this much of them is enough to recognise it. */
const FOREIGN_BODY_LENGTH_MAX = 200;

export async function readError(response: TransportResponse): Promise<KubeError> {
  let text: string;
  try {
    text = await response.text();
  } catch (error) {
    return unreachable('the answer of the API server broke off', error);
  }
  const failure = errorFromStatus(parseJson(text), response.status, text);
  const retryAfterMs = Number(response.header('retry-after')) * 1000;
  if (failure.retryAfterMs !== undefined || !(retryAfterMs > 0)) return failure;
  const { status, reason, message, causes } = failure;
  return new KubeError({ status, reason, message, causes, retryAfterMs });
}

export function errorFromStatus(body: unknown, status: number, text = ''): KubeError {
  const parsed = statusSchema.safeParse(body);
  if (!parsed.success) {
    const message = `the API server answered ${status}: ${text.slice(0, FOREIGN_BODY_LENGTH_MAX)}`;
    return new KubeError({ status, reason: 'Unknown', message });
  }
  const { code, reason, message, details } = parsed.data;
  const retryAfterSeconds = details?.retryAfterSeconds;
  return new KubeError({
    status: code ?? status,
    reason: reason ?? 'Unknown',
    message: message ?? `the API server answered ${code ?? status}`,
    causes: details?.causes,
    retryAfterMs: retryAfterSeconds === undefined ? undefined : retryAfterSeconds * 1000,
  });
}

export function unreachable(message: string, cause: unknown): KubeError {
  const why = cause instanceof Error ? `${message}: ${cause.message}` : message;
  return new KubeError({ status: 0, reason: 'Unreachable', message: why, cause });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not from an API server: the caller shows the text instead.
    return undefined;
  }
}
