import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { LocalPorts } from './local-ports.ts';

function folder(test: TestContext): string {
  const made = mkdtempSync(path.join(tmpdir(), 'tonearm-ports-'));
  test.after(() => rmSync(made, { recursive: true }));
  return made;
}

async function listen(test: TestContext, port: number): Promise<Server> {
  const server = createServer();
  test.after(() => server.close());
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

describe('LocalPorts', () => {
  it('gives an owner the same port after a restart, and no two owners one', async (test) => {
    const directory = folder(test);
    const before = LocalPorts.open(directory);
    const given = await Promise.all(['a', 'b', 'c'].map((owner) => before.claim(owner)));
    assert.equal(new Set(given).size, 3);
    const after = LocalPorts.open(directory);
    const again = await Promise.all(['a', 'b', 'c'].map((owner) => after.claim(owner)));
    assert.deepEqual(again, given);
  });

  it('moves an owner whose port is taken, and remembers where to', async (test) => {
    const directory = folder(test);
    const port = await LocalPorts.open(directory).claim('a');
    const server = await listen(test, port);
    const moved = await LocalPorts.open(directory).claim('a');
    assert.notEqual(moved, port);
    await new Promise((resolve) => server.close(resolve));
    assert.equal(await LocalPorts.open(directory).claim('a'), moved);
  });

  it('waits for a port for life that a killed process is about to leave', async (test) => {
    const directory = folder(test);
    const port = await LocalPorts.open(directory).claimForLife('a');
    const server = await listen(test, port);
    const claimed = LocalPorts.open(directory).claimForLife('a');
    // The first look happens meanwhile.
    await LocalPorts.open(directory).claim('b');
    server.close();
    assert.equal(await claimed, port);
  });
});
