/** Numbers of the binary protocol as Tarantool publishes it: request types, keys of headers and bodies, features. */
export const requestType = {
  SELECT: 1,
  INSERT: 2,
  REPLACE: 3,
  UPDATE: 4,
  DELETE: 5,
  CALL_16: 6,
  AUTH: 7,
  EVAL: 8,
  UPSERT: 9,
  CALL: 10,
  EXECUTE: 11,
  NOP: 12,
  PREPARE: 13,
  BEGIN: 14,
  COMMIT: 15,
  ROLLBACK: 16,
  PING: 64,
  JOIN: 65,
  SUBSCRIBE: 66,
  VOTE_DEPRECATED: 67,
  VOTE: 68,
  FETCH_SNAPSHOT: 69,
  REGISTER: 70,
  ID: 73,
  WATCH: 74,
  UNWATCH: 75,
  EVENT: 76,
  WATCH_ONCE: 77,
} as const;

export const key = {
  REQUEST_TYPE: 0x00,
  SYNC: 0x01,
  SCHEMA_VERSION: 0x05,
  STREAM_ID: 0x0a,
  SPACE_ID: 0x10,
  INDEX_ID: 0x11,
  LIMIT: 0x12,
  OFFSET: 0x13,
  ITERATOR: 0x14,
  INDEX_BASE: 0x15,
  FETCH_POSITION: 0x1f,
  KEY: 0x20,
  TUPLE: 0x21,
  FUNCTION_NAME: 0x22,
  USER_NAME: 0x23,
  OPS: 0x28,
  AFTER_POSITION: 0x2e,
  AFTER_TUPLE: 0x2f,
  DATA: 0x30,
  ERROR_24: 0x31,
  POSITION: 0x35,
  ERROR: 0x52,
  VERSION: 0x54,
  FEATURES: 0x55,
  TIMEOUT: 0x56,
  EVENT_KEY: 0x57,
  EVENT_DATA: 0x58,
  AUTH_TYPE: 0x5b,
  SPACE_NAME: 0x5e,
  INDEX_NAME: 0x5f,
} as const;

export const feature = {
  STREAMS: 0,
  TRANSACTIONS: 1,
  ERROR_EXTENSION: 2,
  WATCHERS: 3,
  PAGINATION: 4,
  SPACE_AND_INDEX_NAMES: 5,
  WATCH_ONCE: 6,
} as const;

/** What works here, and the version of the protocol that has exactly this. */
export const features: readonly number[] = Object.values(feature);
export const protocolVersion = 6;

/** Added to an error's number in the header of its reply. */
export const ERROR_FLAG = 0x8000;

/** Types that are only for servers among themselves, or for what there is not here: SQL and Lua. */
export const unsupportedTypes: ReadonlyMap<number, string> = new Map([
  [requestType.EVAL, 'EVAL'],
  [requestType.EXECUTE, 'EXECUTE'],
  [requestType.PREPARE, 'PREPARE'],
  [requestType.JOIN, 'JOIN'],
  [requestType.SUBSCRIBE, 'SUBSCRIBE'],
  [requestType.VOTE_DEPRECATED, 'VOTE'],
  [requestType.VOTE, 'VOTE'],
  [requestType.FETCH_SNAPSHOT, 'FETCH_SNAPSHOT'],
  [requestType.REGISTER, 'REGISTER'],
]);
