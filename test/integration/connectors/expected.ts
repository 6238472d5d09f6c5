/** What connectors must see, case by case, in the order in which the programs beside this run them. */
import { setUuid } from '../../support/first-config.ts';
import type { ConnectorName } from './install.ts';

export interface Seen {
  readonly value?: unknown;
  /** Of an error. */
  readonly number?: number;
  readonly message?: string;
}

type Cases = Readonly<Record<string, Seen>>;

const denied = (what: string): Seen => ({
  number: 42,
  message: `${what} is denied for user 'guest'`,
});
const unknownFunction = 'Role "books" has no function "nothing".';
const unsupported: Seen = {
  number: 5,
  message: 'Tonearm does not support EVAL: there is no Lua, SQL or foreign replica.',
};
const notUnsigned: Seen = {
  number: 23,
  message: 'Field 1 ("id") of "books" must be unsigned, not string.',
};
const duplicate: Seen = {
  number: 3,
  message: 'Space "books" has a row with the same key in the unique index "primary".',
};

/** As a list of tuples, which most connectors give. */
const common: Cases = {
  'guest select': denied("Read access to space 'books'"),
  'guest call': denied("Execute access to function 'books.sum'"),
  insert: { value: [[1, 'Dune', 412]] },
  'insert again': duplicate,
  replace: { value: [[2, 'Emma', 474]] },
  update: { value: [[1, 'Dune II', 420]] },
  'update nothing': { value: [] },
  'upsert new': { value: [] },
  'upsert old': { value: [] },
  'get by text': { value: [[3, 'Ulysses', 731]] },
  'select GE': {
    value: [
      [2, 'Emma', 474],
      [3, 'Ulysses', 731],
    ],
  },
  'select page': { value: [[2, 'Emma', 474]] },
  delete: { value: [[2, 'Emma', 474]] },
  'bad type': notUnsigned,
  call: { value: [3] },
  'call two values': { value: [null, 'no'] },
  'call fails': { number: 32, message: 'it failed' },
  'call unknown': { number: 33, message: unknownFunction },
  eval: unsupported,
};

const first = (cases: Cases): Cases =>
  Object.fromEntries(
    Object.entries(cases).map(([name, seen]) => {
      const isOne = ['insert', 'replace', 'update', 'delete', 'call'].includes(name);
      return [name, isOne ? { value: (seen.value as readonly unknown[])[0] } : seen];
    }),
  );

const withoutNumbers = (cases: Cases): Cases =>
  Object.fromEntries(
    Object.entries(cases).map(([name, { number: _number, ...seen }]) => [name, seen]),
  );

const identity = (instanceUuid: string): Cases => ({
  'watch box.id': {
    value: { id: 1, instance_uuid: instanceUuid, replicaset_uuid: setUuid(0) },
  },
});

/** `null` is Lua's nil and Go's. */
const nothing: Seen = { value: null };
const ten: Seen = { value: [[10, 'Ten', 10]] };
const status = { is_ro: false, is_ro_cfg: false, status: 'running' };

/** @param instanceUuid of the instance that is asked */
export function expectedOf(name: ConnectorName, instanceUuid: string): Cases {
  return name === 'go' ? { ...expected.go, ...identity(instanceUuid) } : expected[name];
}

const expected = {
  'net.box': {
    ...first(common),
    'wrong password': { number: 47 },
    'guest ping': { value: true },
    schema: { value: ['books', 3, 'title', 1, false, 2] },
    'update nothing': nothing,
    'upsert new': nothing,
    'upsert old': nothing,
  },
  // This driver tells errors by their message alone, knows only CALL_16, and closes where it is not let in.
  npm: {
    ...withoutNumbers(common),
    'wrong password': { message: 'Connection is closed.' },
    'guest ping': { value: true },
    call: { value: [[3]] },
    'call two values': { value: [[null], ['no']] },
  },
  // It hides why it was not let in.
  pypi: {
    ...common,
    'wrong password': { number: 0, message: '' },
    'guest ping': { value: true },
  },
  go: {
    ...common,
    'wrong password': {
      number: 47,
      message: 'User not found or supplied credentials are invalid',
    },
    'guest ping': nothing,
    pages: { value: [[1, 'Dune II', 420]] },
    'next page': { value: [[2, 'Emma', 474]] },
    'call 16': { value: [[3]] },
    begin: nothing,
    'insert in transaction': ten,
    'seen inside': ten,
    'not seen outside': { value: [] },
    commit: nothing,
    'seen outside': ten,
    'begin again': nothing,
    'replace in transaction': { value: [[10, 'X', 1]] },
    rollback: nothing,
    'after rollback': ten,
    'begin for conflict': nothing,
    'read for conflict': ten,
    'change by another': { value: [[10, 'Y', 1]] },
    'commit with conflict': {
      number: 97,
      message: 'Transaction has been aborted by conflict',
    },
    'watch once': { value: [status] },
    'watch box.status': { value: status },
    'watch box.schema': { value: 'the version of box.info' },
    'watch nothing': {},
    pool: nothing,
    'answered in shutdown': { value: ['bye'] },
    'closed by shutdown': { value: true },
  },
} as const satisfies Record<ConnectorName, Cases>;
