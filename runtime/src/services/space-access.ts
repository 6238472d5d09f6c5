/** Spaces as roles see them: rows as objects by field name, over the tuples of the storage. */
import { ClusterError } from '../core/errors.ts';
import type {
  IndexOptions,
  SpaceDefinition as StoredSpace,
} from '../core/schema/space-definition.ts';
import type { Reader, Transaction } from '../core/storage/engine.ts';
import type { Space, SpaceDefinition, SpaceRow, WriteRowOptions } from '../role/role-context.ts';

/** What roles need of the storage service. */
export interface SpaceStorage {
  write<T>(work: (transaction: Transaction) => T, options?: WriteRowOptions): Promise<T>;
  /** Makes indexes that a transaction is about to create, without stopping anything else; gives how to release them. */
  makeIndexes(space: string, indexes: readonly IndexOptions[]): Promise<() => void>;
  read<T>(
    work: (reader: Reader) => T,
    options?: { readonly consistency?: 'acknowledged' | 'local' },
  ): Promise<T>;
}

const SELECT_LIMIT_DEFAULT = 1000;

export function openSpace(storage: SpaceStorage, name: string): Space {
  return {
    async insert(row, options) {
      await storage.write((transaction) => {
        transaction.insert(name, toTuple(requireSpace(transaction, name), row));
      }, options);
    },
    async replace(row, options) {
      await storage.write((transaction) => {
        transaction.replace(name, toTuple(requireSpace(transaction, name), row));
      }, options);
    },
    async update(key, operations, options) {
      return storage.write((transaction) => {
        const space = requireSpace(transaction, name);
        const tuple = transaction.update(name, key, operations);
        return tuple === undefined ? undefined : toRow(space, tuple);
      }, options);
    },
    async delete(key, options) {
      return storage.write((transaction) => transaction.delete(name, key) !== undefined, options);
    },
    async get(key, index) {
      return storage.read((reader) => {
        const space = requireSpace(reader, name);
        const tuple = reader.get(name, key, index);
        return tuple === undefined ? undefined : toRow(space, tuple);
      });
    },
    async select(options = {}) {
      return storage.read((reader) => {
        const space = requireSpace(reader, name);
        const { key = [], limit = SELECT_LIMIT_DEFAULT, ...rest } = options;
        return reader.select(name, key, { ...rest, limit }).map((tuple) => toRow(space, tuple));
      });
    },
    async count() {
      return storage.read((reader) => reader.count(name));
    },
  };
}

/** One transaction creates the space with all its indexes, or none of it. */
export async function createSpace(
  storage: SpaceStorage,
  definition: SpaceDefinition,
): Promise<void> {
  const { name, format, indexes, engine = 'memory', ack, isSync } = definition;
  const release = await storage.makeIndexes(name, indexes);
  try {
    await storage.write((transaction) => {
      transaction.createSpace(name, { format, engine, ack, isSync, ifNotExists: true });
      for (const index of indexes) transaction.createIndex(name, { ...index, ifNotExists: true });
    });
  } finally {
    release();
  }
}

function requireSpace(reader: Reader, name: string): StoredSpace {
  const space = reader.space(name);
  if (space !== undefined) return space;
  throw new ClusterError('SCHEMA_MISSING', {
    message: `Space "${name}" does not exist here (yet): the leader creates it when its role is applied.`,
  });
}

function toTuple(space: StoredSpace, row: SpaceRow): readonly unknown[] {
  const names = space.format.map((field) => field.name);
  const unknown = Object.keys(row).find((key) => !names.includes(key));
  if (unknown !== undefined) {
    throw new ClusterError('TUPLE_INVALID', {
      field: unknown,
      message: `Space "${space.name}" has no field "${unknown}"; its fields are ${names.join(', ')}.`,
    });
  }
  return names.map((name) => row[name] ?? null);
}

function toRow(space: StoredSpace, tuple: readonly unknown[]): SpaceRow {
  return Object.fromEntries(space.format.map((field, index) => [field.name, tuple[index] ?? null]));
}
