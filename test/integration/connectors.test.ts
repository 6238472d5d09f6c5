/** Real connectors of four languages against the server of the binary protocol, over the reference engine. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { IprotoListener } from '../../runtime/src/adapters/iproto-listener.ts';
import { ClusterError } from '../../runtime/src/core/errors.ts';
import { ReturnedValues } from '../../runtime/src/core/iproto/call-result.ts';
import { provesPassword } from '../../runtime/src/core/iproto/greeting.ts';
import { systemClock } from '../../runtime/src/foundation/clock.ts';
import { silentLogger } from '../../runtime/src/foundation/logger.ts';
import { IprotoServer } from '../../runtime/src/services/iproto/iproto-server.ts';
import { ReferenceIprotoStorage } from '../../runtime/src/testing/reference-iproto-storage.ts';
import { expected, type Seen } from './connectors/expected.ts';
import { type Connector, connectorNames, findConnector } from './connectors/install.ts';

const isAdmin = (user: string): boolean => user === 'admin';

function bookStorage(): ReferenceIprotoStorage {
  const storage = new ReferenceIprotoStorage();
  storage.change((transaction) => {
    transaction.createSpace('books', {
      format: [
        { name: 'id', type: 'unsigned' },
        { name: 'title', type: 'string' },
        { name: 'pages', type: 'unsigned' },
      ],
    });
    transaction.createIndex('books', { name: 'primary', parts: ['id'] });
    transaction.createIndex('books', { name: 'title', parts: ['title'], unique: false });
  });
  return storage;
}

function startServer(lean: boolean): IprotoServer {
  const server = new IprotoServer({
    storage: bookStorage(),
    call: async (name, args) => {
      switch (name) {
        case 'sum':
          return args.reduce<number>((sum, value) => sum + Number(value), 0);
        case 'two':
          return new ReturnedValues(null, 'no');
        case 'fail':
          throw new Error('it failed');
        case 'shutdown':
          void server.close(10_000);
          return 'bye';
        default:
          throw new ClusterError('ROLE_FUNCTION_UNKNOWN', {
            message: `Procedure '${name}' is not defined`,
          });
      }
    },
    users: {
      authenticate: (user, salt, scramble) =>
        isAdmin(user) && provesPassword('secret', salt, scramble),
      mayRead: isAdmin,
      mayWrite: isAdmin,
      mayCall: isAdmin,
    },
    listener: new IprotoListener({ host: '127.0.0.1', port: 0, logger: silentLogger, lean }),
    instance: {
      uuid: '00000000-0000-4000-8000-000000000001',
      replicaSetUuid: '00000000-0000-4000-8000-000000000002',
      id: 1,
    },
    logger: silentLogger,
    clock: systemClock,
  });
  return server;
}

async function run({ command, args }: Connector, port: number): Promise<Record<string, Seen>> {
  const { stdout } = await promisify(execFile)(command, [...args, String(port)], {
    timeout: 60_000,
  });
  return JSON.parse(stdout) as Record<string, Seen>;
}

for (const name of connectorNames) {
  describe(`the connector ${name}`, () => {
    for (const lean of [true, false]) {
      it(`sees what Tarantool would give, ${lean ? 'lean' : 'plain'} sockets`, async (test) => {
        const connector = findConnector(name);
        if (connector === undefined) {
          test.skip(`what ${name} needs is not here`);
          return;
        }
        const server = startServer(lean);
        try {
          const seen = await run(connector, await server.listen());
          assert.deepEqual(seen, expected[name]);
        } finally {
          await server.close(0);
        }
        assert.equal(server.requestsInFlight, 0);
      });
    }
  });
}
