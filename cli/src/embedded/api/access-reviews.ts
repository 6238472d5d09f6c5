/** Who asks what it may do here has shown that it knows the address of this API, and so may do everything. */
import { methodNotAllowed, pathNotFound } from './api-error.ts';
import type { JsonObject } from './json.ts';
import { type ApiRequest, readObject } from './requests.ts';
import { sendJson } from './responses.ts';
import type { ResourceRoute } from './routes.ts';

const GROUP = 'authorization.k8s.io';

const ANSWERS: Readonly<Record<string, JsonObject>> = {
  selfsubjectaccessreviews: {
    allowed: true,
    reason: 'whoever knows the address of this API may do everything',
  },
  selfsubjectrulesreviews: {
    resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }],
    nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
    incomplete: false,
  },
};

export function isAccessReview({ address }: ResourceRoute): boolean {
  return address.group === GROUP && address.version === 'v1';
}

/** A review is an object that is made and answered at once, and never kept. */
export async function answerAccessReview(request: ApiRequest, route: ResourceRoute): Promise<void> {
  const status = ANSWERS[route.address.plural];
  if (status === undefined || route.name !== '') throw pathNotFound();
  if (request.method !== 'POST') throw methodNotAllowed();
  sendJson(request.response, 201, { ...(await readObject(request)), status });
}
