/** What other instances of the replica set may ask of a storage: a promise, and the rows behind their own. */
import {
  type PromiseAnswer,
  type PullAnswer,
  type PullRequest,
  promiseRequestSchema,
  pullRequestSchema,
} from '../core/replication/messages.ts';
import type { InternalHandler, InternalHandlers } from '../ports/peers.ts';
import { requireReplicaSet } from './storage-copies.ts';

export interface StorageAnswers {
  readonly replicaSetUuid: string;
  readonly promise: (term: number) => Promise<PromiseAnswer>;
  readonly answerPull: (request: PullRequest) => Promise<PullAnswer>;
}

export function storageHandlers(storage: StorageAnswers): InternalHandlers {
  return new Map<string, InternalHandler>([
    [
      'leadership.promise',
      async (body: unknown): Promise<PromiseAnswer> => {
        const request = promiseRequestSchema.parse(body);
        requireReplicaSet(storage.replicaSetUuid, request);
        return storage.promise(request.term);
      },
    ],
    [
      'replication.pull',
      async (body: unknown): Promise<PullAnswer> => {
        const request = pullRequestSchema.parse(body);
        requireReplicaSet(storage.replicaSetUuid, request);
        return storage.answerPull(request);
      },
    ],
  ]);
}
