/** Real connectors of four languages against the binary port of a real instance. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { type AnyRole, defineRole } from '@tonearm/runtime/role';
import { ReturnedValues } from '../../runtime/src/core/iproto/call-result.ts';
import { OneInstance } from '../support/one-instance.ts';
import { waitUntil } from '../support/wait-until.ts';
import { expectedOf, type Seen } from './connectors/expected.ts';
import { type Connector, connectorNames, findConnector } from './connectors/install.ts';

interface BooksOptions {
  /** The space is there. */
  readonly onCreated: () => void;
  /** What the function `books.shutdown` begins. */
  readonly stop: () => void;
}

const books = ({ onCreated, stop }: BooksOptions): AnyRole =>
  defineRole({
    name: 'books',
    async applyConfig(context, _config, { isLeader }) {
      if (!isLeader) return;
      await context.createSpace({
        name: 'books',
        format: [
          { name: 'id', type: 'unsigned' },
          { name: 'title', type: 'string' },
          { name: 'pages', type: 'unsigned' },
        ],
        indexes: [
          { name: 'primary', parts: ['id'] },
          { name: 'title', parts: ['title'], unique: false },
        ],
      });
      onCreated();
    },
    rpc: {
      sum: (_context, ...values: number[]) => values.reduce((sum, value) => sum + value, 0),
      two: () => new ReturnedValues(null, 'no'),
      fail: () => {
        throw new Error('it failed');
      },
      shutdown: () => {
        stop();
        return 'bye';
      },
    },
  });

async function run({ command, args }: Connector, port: number): Promise<Record<string, Seen>> {
  const { stdout } = await promisify(execFile)(command, [...args, String(port)], {
    timeout: 60_000,
  });
  return JSON.parse(stdout) as Record<string, Seen>;
}

for (const name of connectorNames) {
  describe(`the connector ${name}`, () => {
    it('sees of an instance what Tarantool would give', async (test) => {
      const connector = findConnector(name);
      if (connector === undefined) {
        test.skip(`what ${name} needs is not here`);
        return;
      }
      let isCreated = false;
      const onCreated = (): void => {
        isCreated = true;
      };
      const role = books({ onCreated, stop: () => void one.stop() });
      await using one = await OneInstance.start([role], ['books']);
      await waitUntil('the space is there', () => isCreated);
      const { uuid } = await one.status();
      assert.deepEqual(await run(connector, one.port), expectedOf(name, uuid));
    });
  });
}
