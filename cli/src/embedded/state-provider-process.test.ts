import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { LocalPorts } from './node/processes/local-ports.ts';
import { StateDirectory } from './state-directory.ts';
import { planStateboard } from './state-provider-process.ts';

function folder(test: TestContext): StateDirectory {
  const made = mkdtempSync(path.join(tmpdir(), 'tonearm-provider-'));
  test.after(() => rmSync(made, { recursive: true }));
  return new StateDirectory(made);
}

/** As a new start of `tonearm up` does it. */
async function addressIn(state: StateDirectory): Promise<string> {
  const { provider } = await planStateboard(state, LocalPorts.open(state.processes));
  assert.ok(provider.kind === 'Stateboard');
  return provider.uri;
}

async function occupy(test: TestContext, address: string): Promise<void> {
  const server = createServer();
  test.after(() => server.close());
  const [host, port] = address.split(':');
  server.listen(Number(port), host);
  await once(server, 'listening');
}

describe('the address of the stateboard', () => {
  it('is the same at each start of a state directory', async (test) => {
    const state = folder(test);
    assert.equal(await addressIn(state), await addressIn(state));
  });

  it('is another one in another state directory, even while the first is stopped', async (test) => {
    const addresses = new Set<string>();
    for (let made = 0; made < 4; made += 1) addresses.add(await addressIn(folder(test)));
    // Two of them may meet, seldom enough; all of them never do.
    assert.notEqual(addresses.size, 1);
  });

  it('never moves: it is refused while another program listens there', async (test) => {
    const state = folder(test);
    const address = await addressIn(state);
    await occupy(test, address);
    const [, port] = address.split(':');
    await assert.rejects(addressIn(state), {
      message: `port ${port} of 127.0.0.1 is in use, and the stateboard of this state directory needs it, because its clusters know no other address: stop the program that listens there ("lsof -i :${port}" names it; it may be "tonearm up" in another folder), or start anew after "tonearm down --purge"`,
    });
  });
});
