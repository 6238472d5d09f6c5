/**
 * The options of an instance: one table of names, types and defaults, and the checks that cross several. Pure.
 *
 * An option that is not in the table belongs to the application (ARG-09): it stays readable as text.
 */
import { hostPortSchema, uuidSchema } from '../../contract/cluster-config.ts';
import { castOption, OptionError, type OptionType } from './cast-option.ts';
import { normalizeOptionName, type OptionValue } from './parse-options.ts';

interface OptionDefinition {
  readonly type: OptionType;
  readonly default: string | number | boolean;
}

const definitions = {
  /** Folder of data and config; made absolute and created (CFG-10). */
  workdir: { type: 'string', default: '.' },
  /** `HOST:PORT`, `HOST:` or `PORT`: where peers find this instance (CFG-11). */
  advertise_uri: { type: 'string', default: '' },
  /** Host of `advertise_uri` when that is not given. */
  advertise_host: { type: 'string', default: '' },
  port: { type: 'number', default: 3301 },
  /** Only true: peers and the operator reach an instance over HTTP alone (CFG-17). */
  http_enabled: { type: 'boolean', default: true },
  http_host: { type: 'string', default: '0.0.0.0' },
  http_port: { type: 'number', default: 8081 },
  /** Isolates clusters on one network and opens the admin API (CFG-12). */
  cluster_cookie: { type: 'string', default: 'secret-cluster-cookie' },
  /** A file that holds the cookie; wins over `cluster_cookie`. */
  cluster_cookie_file: { type: 'string', default: '' },
  /** A file of PEM public keys whose tokens open the admin API. */
  operator_keys_file: { type: 'string', default: '' },
  cluster_uuid: { type: 'string', default: '' },
  cluster_name: { type: 'string', default: '' },
  replica_set_uuid: { type: 'string', default: '' },
  replica_set_name: { type: 'string', default: '' },
  instance_name: { type: 'string', default: '' },
  app_name: { type: 'string', default: '' },
  alias: { type: 'string', default: '' },
  /** `instances.yml`, or a folder of such files (ARG-03). */
  cfg: { type: 'string', default: '' },
  /** How a write gets to the disk before it counts as appended: `write` survives the process, `fsync` the machine. */
  wal_mode: { type: 'string', default: 'write' },
  /** Bytes that rows and their indexes may take (CFG-31). */
  memtx_memory: { type: 'number', default: 268_435_456 },
  /** What a connection to the binary port may do without a password: `none`, `read` or `write`. */
  guest_access: { type: 'string', default: 'none' },
  /** Seconds between two snapshots, if anything was written; 0 for none. */
  checkpoint_interval: { type: 'number', default: 3600 },
  /** How many snapshots are kept. */
  checkpoint_count: { type: 'number', default: 2 },
  /** Bytes of the log behind the last snapshot, from which on another is taken. */
  checkpoint_wal_threshold: { type: 'number', default: 268_435_456 },
  log_level: { type: 'string', default: 'info' },
} as const satisfies Record<string, OptionDefinition>;

export type OptionName = keyof typeof definitions;

export type GuestAccess = 'none' | 'read' | 'write';

export interface InstanceOptions {
  readonly workdir: string;
  readonly instanceName: string;
  readonly appName: string;
  readonly alias: string;
  readonly uri: string;
  readonly httpHost: string;
  readonly httpPort: number;
  readonly httpUri: string;
  readonly clusterCookie: string;
  readonly clusterCookieFile: string;
  readonly operatorKeysFile: string;
  readonly clusterUuid: string;
  readonly clusterName: string;
  readonly replicaSetUuid: string;
  readonly replicaSetName: string;
  readonly logMode: 'write' | 'fsync';
  readonly memoryBytes: number;
  readonly guestAccess: GuestAccess;
  readonly snapshots: {
    readonly intervalMs: number;
    readonly count: number;
    readonly logBytes: number;
  };
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
}

const COOKIE_BYTES_MAX = 256;

/** The cookie travels in headers and file names: letters, digits and `_ . ~ -` only (CFG-12). */
export function validateCookie(cookie: string): string | undefined {
  if (cookie === '') return 'must not be empty';
  if (cookie.length > COOKIE_BYTES_MAX) return `must have at most ${COOKIE_BYTES_MAX} bytes`;
  return /^[A-Za-z0-9_.~-]+$/.test(cookie)
    ? undefined
    : 'may only have letters, digits and the signs _ . ~ -';
}

export function buildInstanceOptions(given: ReadonlyMap<string, OptionValue>): InstanceOptions {
  const read = reader(given);
  const instanceName = read.text('instance_name');
  const number = /_(\d{1,4})$/.exec(instanceName)?.[1];
  const httpPort = readPort(
    'http_port',
    given.has('http_port') || number === undefined
      ? read.number('http_port')
      : 8080 + Number(number),
  );
  if (!read.flag('http_enabled')) {
    throw new OptionError(
      'http_enabled',
      'option "http_enabled" must be true: peers and the operator reach an instance over HTTP. ' +
        'To keep others out, give "http_host" an address that only they can reach',
    );
  }
  const uri = buildAdvertiseUri(read, number);
  const cookie = read.text('cluster_cookie');
  const cookieFault = read.text('cluster_cookie_file') === '' ? validateCookie(cookie) : undefined;
  if (cookieFault !== undefined)
    throw new OptionError('cluster_cookie', `option "cluster_cookie" ${cookieFault}`);
  return {
    workdir: read.text('workdir'),
    instanceName: instanceName === '' ? 'instance' : instanceName,
    appName: read.text('app_name'),
    alias: read.text('alias') || instanceName || 'instance',
    uri,
    httpHost: read.text('http_host'),
    httpPort,
    httpUri: `${uri.slice(0, uri.lastIndexOf(':'))}:${httpPort}`,
    clusterCookie: cookie,
    clusterCookieFile: read.text('cluster_cookie_file'),
    operatorKeysFile: read.text('operator_keys_file'),
    clusterUuid: readUuid('cluster_uuid', read.text('cluster_uuid')),
    clusterName: read.text('cluster_name'),
    replicaSetUuid: readUuid('replica_set_uuid', read.text('replica_set_uuid')),
    replicaSetName: read.text('replica_set_name'),
    logMode: readOneOf('wal_mode', read.text('wal_mode'), ['write', 'fsync']),
    memoryBytes: readAtLeast(read, 'memtx_memory', 32 * 1024 * 1024),
    guestAccess: readOneOf('guest_access', read.text('guest_access'), ['none', 'read', 'write']),
    snapshots: {
      intervalMs: 1000 * readAtLeast(read, 'checkpoint_interval', 0),
      count: readAtLeast(read, 'checkpoint_count', 1),
      logBytes: readAtLeast(read, 'checkpoint_wal_threshold', 1024 * 1024),
    },
    logLevel: readOneOf('log_level', read.text('log_level'), [
      'debug',
      'info',
      'warn',
      'error',
      'silent',
    ]),
  };
}

/** Is the empty text no value of this option? Options of the application are texts. */
export function refusesEmpty(name: string): boolean {
  const table: Readonly<Record<string, OptionDefinition>> = definitions;
  return Object.hasOwn(table, name) && table[name]?.type !== 'string';
}

interface Reader {
  text(name: OptionName): string;
  number(name: OptionName): number;
  flag(name: OptionName): boolean;
}

function reader(given: ReadonlyMap<string, OptionValue>): Reader {
  const value = (name: OptionName): string | number | boolean => {
    const definition: OptionDefinition = definitions[name];
    const present = given.get(normalizeOptionName(name));
    return present === undefined ? definition.default : castOption(name, present, definition.type);
  };
  return {
    text: (name) => String(value(name)),
    number: (name) => Number(value(name)),
    flag: (name) => value(name) === true,
  };
}

/** Missing host: `localhost`; missing port: 3300+N for an instance named `…_N`, else 3301 (CFG-11). */
function buildAdvertiseUri(read: Reader, number: string | undefined): string {
  const given = read.text('advertise_uri').trim();
  const defaultPort = number === undefined ? read.number('port') : 3300 + Number(number);
  const defaultHost = read.text('advertise_host') || 'localhost';
  if (given === '') return checkUri(`${defaultHost}:${defaultPort}`);
  if (/^\d+$/.test(given)) return checkUri(`${defaultHost}:${given}`);
  return checkUri(given.endsWith(':') ? `${given}${defaultPort}` : given);
}

function checkUri(uri: string): string {
  const fault = (why: string): never => {
    throw new OptionError(
      'advertise_uri',
      `option "advertise_uri" ${why}; it is ${JSON.stringify(uri)}`,
    );
  };
  if (!hostPortSchema.safeParse(uri).success) fault('must be HOST:PORT, HOST: or PORT');
  const port = Number(uri.slice(uri.lastIndexOf(':') + 1));
  if (port < 1 || port > 65_535) fault('must have a port from 1 to 65535');
  if (uri.startsWith('0.0.0.0:')) fault('must name a host that peers can reach, not 0.0.0.0');
  return uri;
}

function readPort(name: OptionName, port: number): number {
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new OptionError(name, `option "${name}" must be a port from 1 to 65535, not ${port}`);
  }
  return port;
}

function readAtLeast(read: Reader, name: OptionName, least: number): number {
  const value = read.number(name);
  if (Number.isFinite(value) && value >= least) return value;
  throw new OptionError(name, `option "${name}" must be at least ${least}, not ${value}`);
}

function readUuid(name: OptionName, text: string): string {
  if (text !== '' && !uuidSchema.safeParse(text).success) {
    throw new OptionError(name, `option "${name}" must be a UUID, not ${JSON.stringify(text)}`);
  }
  return text;
}

function readOneOf<T extends string>(name: OptionName, text: string, words: readonly T[]): T {
  const word = words.find((candidate) => candidate === text.toLowerCase());
  if (word === undefined) {
    throw new OptionError(
      name,
      `option "${name}" must be one of ${words.join(', ')}, not ${JSON.stringify(text)}`,
    );
  }
  return word;
}
