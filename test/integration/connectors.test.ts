/** Real connectors of four languages against the binary port of a real instance. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { type AnyRole, defineRole } from '@tonearm/runtime/role';
import { ReturnedValues } from '../../runtime/src/core/iproto/call-result.ts';
import { COOKIE, OneInstance } from '../support/one-instance.ts';
import { waitUntil } from '../support/wait-until.ts';
import { runExample } from './connectors/example.ts';
import { expectedOf, type Seen } from './connectors/expected.ts';
import {
  type Connector,
  type ConnectorName,
  connectorNames,
  findConnector,
} from './connectors/install.ts';

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

/** A role's space is made when its instance has begun to lead. */
async function startBooks(): Promise<OneInstance> {
  let isCreated = false;
  const onCreated = (): void => {
    isCreated = true;
  };
  const role = books({ onCreated, stop: () => void one.stop() });
  const one = await OneInstance.start([role], ['books']);
  await waitUntil('the space is there', () => isCreated);
  return one;
}

const languages = { 'net.box': 'lua', npm: 'js', pypi: 'python', go: 'go' } as const;

/** The example of the page, for this instance. */
function exampleOf(name: ConnectorName, port: number): string {
  const page = readFileSync(new URL('../../docs/binary-port.md', import.meta.url), 'utf8');
  const fence = '```';
  const [, code] = page.split(`${fence}${languages[name]}\n`);
  assert(code !== undefined, `the page has an example for ${name}`);
  return code.slice(0, code.indexOf(fence)).replaceAll('3301', String(port));
}

for (const name of connectorNames) {
  describe(`the connector ${name}`, () => {
    it('sees of an instance what Tarantool would give', async (test) => {
      const connector = findConnector(name);
      if (connector === undefined) {
        test.skip(`what ${name} needs is not here`);
        return;
      }
      await using one = await startBooks();
      const { uuid } = await one.status();
      assert.deepEqual(await run(connector, one.port), expectedOf(name, uuid));
    });

    it('does what the page on the binary port shows', async (test) => {
      if (findConnector(name) === undefined) {
        test.skip(`what ${name} needs is not here`);
        return;
      }
      await using one = await startBooks();
      const stdout = runExample(name, exampleOf(name, one.port), COOKIE);
      assert.deepEqual((await stdout).split(/\s+/), ['Dune', '3', '']);
    });
  });
}
