/** What a role may use. Every role of an instance has a context of its own; its logger and signal end with the role. */
import type { FastifyPluginAsync } from 'fastify';
import type { Json } from '../contract/json.ts';
import type { FieldOptions, IndexOptions, SpaceEngine } from '../core/schema/space-definition.ts';
import type { IteratorType, UpdateOperation } from '../core/storage/engine.ts';
import type { Logger } from '../foundation/logger.ts';

export interface SpaceDefinition {
  readonly name: string;
  /** Fields in the order of the tuple. */
  readonly format: readonly FieldOptions[];
  /** The first is the primary index and must be unique. */
  readonly indexes: readonly IndexOptions[];
  /** Default memory. `disk`: for more rows than memory holds. */
  readonly engine?: SpaceEngine;
  /**
   * `local`: writes are acknowledged as soon as the leader's own log has them. The last ones before the leader is lost
   * may be lost with it. Left out: as soon as every in-sync member has them.
   */
  readonly ack?: 'local';
  /** Writes are acknowledged only when the in-sync members are a majority of the replica set. Default false. */
  readonly isSync?: boolean;
}

export interface WriteRowOptions {
  /** As for a space, for this write alone. A synchronous space refuses it. */
  readonly ack?: 'local';
}

export interface SelectRowsOptions {
  /** Default: the primary index. */
  readonly index?: string;
  /** Default EQ; an empty key covers all rows. */
  readonly iterator?: IteratorType;
  /** A key of the index, or the beginning of one. Default: empty. */
  readonly key?: readonly unknown[];
  /** Default 1000: what is beyond is left out. `Number.POSITIVE_INFINITY` gives all. */
  readonly limit?: number;
}

export type SpaceRow = Readonly<Record<string, unknown>>;

/**
 * A space of this instance's replica set. Rows are objects by field name.
 *
 * Writes resolve when every in-sync member has the row, if neither space nor write say otherwise. They reject with DUPLICATE_KEY, TUPLE_INVALID (names the
 * field), SCHEMA_MISSING, NO_LEADER (nothing happened) or OUTCOME_UNKNOWN (it may have happened).
 */
export interface Space {
  insert(row: SpaceRow, options?: WriteRowOptions): Promise<void>;
  replace(row: SpaceRow, options?: WriteRowOptions): Promise<void>;
  /** The row after the update; undefined when there is none with that primary key. */
  update(
    key: readonly unknown[],
    operations: readonly UpdateOperation[],
    options?: WriteRowOptions,
  ): Promise<SpaceRow | undefined>;
  /** True when a row was there. */
  delete(key: readonly unknown[], options?: WriteRowOptions): Promise<boolean>;
  /** By a full key of a unique index. */
  get(key: readonly unknown[], index?: string): Promise<SpaceRow | undefined>;
  select(options?: SelectRowsOptions): Promise<readonly SpaceRow[]>;
  count(): Promise<number>;
}

export interface CallOptions {
  /** Milliseconds until the call fails with NO_LEADER or OUTCOME_UNKNOWN. Default 5000. */
  readonly timeoutMs?: number;
}

export interface RpcCallOptions extends CallOptions {
  /** Call the leader of a replica set that has the role. Default false: any instance that has it. */
  readonly leaderOnly?: boolean;
  /** Call this instance itself when it has the role. Default true. */
  readonly preferLocal?: boolean;
}

/** Calls to the replica set that owns a bucket. */
export interface Vshard {
  readonly bucketCount: number;
  /** 1 … bucketCount, equal to the ancestor's `bucket_id_strcrc32`. */
  bucketId(key: string | number): number;
  /**
   * Runs a role's function (`<role>.<function>`) on the leader that owns the bucket, with `args` after its context.
   * Not repeated once it may have been executed.
   */
  callrw(
    bucketId: number,
    fn: string,
    args: readonly unknown[],
    options?: CallOptions,
  ): Promise<unknown>;
  /** The same for functions that only read: repeated until it succeeds or the time is up. */
  callro(
    bucketId: number,
    fn: string,
    args: readonly unknown[],
    options?: CallOptions,
  ): Promise<unknown>;
  /** Runs a reading function on the leader of every replica set that owns buckets; results by replica set UUID. */
  mapCallro(
    fn: string,
    args: readonly unknown[],
    options?: CallOptions,
  ): Promise<ReadonlyMap<string, unknown>>;
}

export interface RoleContext {
  readonly instance: {
    readonly uuid: string;
    readonly name: string;
    readonly replicaSetUuid: string;
  };
  readonly logger: Logger;
  /** Aborts when the role stops, or is about to: `init` and `applyConfig` that still run must end then. */
  readonly signal: AbortSignal;
  /** HTTP routes of this role, on port 8081 beside the admin API. They appear when `init` ends and vanish with the role. */
  readonly http: { register(plugin: FastifyPluginAsync): void };
  space(name: string): Space;
  /** Creates the space and its indexes on the leader; does nothing where they exist with the same definition. */
  createSpace(definition: SpaceDefinition): Promise<void>;
  /** Runs `fn` on the leader once in the life of the replica set, remembered under `key` after it succeeded. */
  once(key: string, fn: () => Promise<void>): Promise<void>;
  readonly rpc: {
    call(
      role: string,
      fn: string,
      args: readonly unknown[],
      options?: RpcCallOptions,
    ): Promise<unknown>;
  };
  readonly vshard: Vshard;
  readonly config: {
    /** A section of the cluster config, or undefined. Frozen. */
    get(section: string): Json | undefined;
    /** One two-phase change of sections; `null` removes one. Resolves when it is committed. */
    patch(sections: Readonly<Record<string, Json>>, message?: string): Promise<void>;
  };
}
