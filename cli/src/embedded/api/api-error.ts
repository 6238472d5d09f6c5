/**
 * Refusals of the API, each with the `Status` object that a client gets. Wording, reasons and codes
 * are the API server's, because clients (kubectl among them) match on them.
 */
import type { JsonObject } from './json.ts';

export interface StatusCause {
  readonly reason: string;
  readonly message: string;
  readonly field?: string;
}

export interface FieldIssue extends StatusCause {
  readonly field: string;
}

export interface ResourceName {
  readonly group: string;
  readonly plural: string;
}

interface StatusParts {
  readonly code: number;
  readonly reason: string;
  readonly message: string;
  readonly details?: JsonObject;
}

export class ApiError extends Error {
  readonly code: number;
  readonly reason: string;
  readonly details: JsonObject | undefined;

  constructor(parts: StatusParts) {
    super(parts.message);
    this.name = 'ApiError';
    this.code = parts.code;
    this.reason = parts.reason;
    this.details = parts.details;
  }

  status(): JsonObject {
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: this.message,
      ...(this.reason === '' ? {} : { reason: this.reason }),
      ...(this.details === undefined ? {} : { details: this.details }),
      code: this.code,
    };
  }
}

export function notFound(resource: ResourceName, name: string): ApiError {
  return new ApiError({
    code: 404,
    reason: 'NotFound',
    message: `${qualified(resource)} "${name}" not found`,
    details: detailsOf(resource, name),
  });
}

export function pathNotFound(): ApiError {
  return new ApiError({
    code: 404,
    reason: 'NotFound',
    message: 'the server could not find the requested resource',
    details: {},
  });
}

export function alreadyExists(resource: ResourceName, name: string): ApiError {
  return new ApiError({
    code: 409,
    reason: 'AlreadyExists',
    message: `${qualified(resource)} "${name}" already exists`,
    details: detailsOf(resource, name),
  });
}

export const STALE_OBJECT =
  'the object has been modified; please apply your changes to the latest version and try again';

export function conflict(resource: ResourceName, name: string, why: string): ApiError {
  return new ApiError({
    code: 409,
    reason: 'Conflict',
    message: `Operation cannot be fulfilled on ${qualified(resource)} "${name}": ${why}`,
    details: detailsOf(resource, name),
  });
}

export function applyConflict(message: string, causes: readonly StatusCause[]): ApiError {
  return new ApiError({ code: 409, reason: 'Conflict', message, details: { causes } });
}

export function invalid(
  kind: { readonly group: string; readonly kind: string },
  name: string,
  issues: readonly FieldIssue[],
): ApiError {
  const named = kind.group === '' ? kind.kind : `${kind.kind}.${kind.group}`;
  const texts = issues.map((issue) => `${issue.field}: ${issue.message}`);
  const list = texts.length === 1 ? texts.join('') : `[${texts.join(', ')}]`;
  return new ApiError({
    code: 422,
    reason: 'Invalid',
    message: `${named} "${name}" is invalid: ${list}`,
    details: { name, group: kind.group, kind: kind.kind, causes: issues },
  });
}

export function expired(message: string): ApiError {
  return new ApiError({ code: 410, reason: 'Expired', message });
}

export function badRequest(message: string): ApiError {
  return new ApiError({ code: 400, reason: 'BadRequest', message });
}

export function forbidden(resource: ResourceName, name: string, why: string): ApiError {
  return new ApiError({
    code: 403,
    reason: 'Forbidden',
    message: `${qualified(resource)} "${name}" is forbidden: ${why}`,
    details: detailsOf(resource, name),
  });
}

export function methodNotAllowed(): ApiError {
  return new ApiError({
    code: 405,
    reason: 'MethodNotAllowed',
    message: 'the server does not allow this method on the requested resource',
    details: {},
  });
}

export function unsupportedMediaType(accepted: readonly string[]): ApiError {
  return new ApiError({
    code: 415,
    reason: 'UnsupportedMediaType',
    message:
      'the body of the request was in an unknown format - accepted media types include: ' +
      accepted.join(', '),
  });
}

/** A patch that cannot be carried out on this object, such as a JSON patch whose test fails. */
export function unprocessablePatch(message: string): ApiError {
  return new ApiError({ code: 422, reason: 'Invalid', message });
}

export function internalError(message: string): ApiError {
  return new ApiError({ code: 500, reason: 'InternalError', message });
}

export function invalidValue(field: string, value: unknown, why: string): FieldIssue {
  return {
    reason: 'FieldValueInvalid',
    message: `Invalid value: ${JSON.stringify(value)}: ${why}`,
    field,
  };
}

export function requiredValue(field: string, why = ''): FieldIssue {
  const message = why === '' ? 'Required value' : `Required value: ${why}`;
  return { reason: 'FieldValueRequired', message, field };
}

export function forbiddenValue(field: string, why: string): FieldIssue {
  return { reason: 'FieldValueForbidden', message: `Forbidden: ${why}`, field };
}

export function qualified(resource: ResourceName): string {
  return resource.group === '' ? resource.plural : `${resource.plural}.${resource.group}`;
}

function detailsOf(resource: ResourceName, name: string): JsonObject {
  return {
    name,
    ...(resource.group === '' ? {} : { group: resource.group }),
    kind: resource.plural,
  };
}
