import assert from 'node:assert/strict';
import type { LookupAddress } from 'node:dns';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { Agent, request } from '../foundation/http-client.ts';
import { NameCache } from './name-cache.ts';

const address = (last: number): LookupAddress => ({ address: `127.0.0.${last}`, family: 4 });

/** Answers when the test says so. */
class SlowResolver {
  readonly asked: string[] = [];
  readonly #waiting: ((outcome: readonly LookupAddress[] | Error) => void)[] = [];

  readonly resolve = (name: string): Promise<readonly LookupAddress[]> => {
    this.asked.push(name);
    return new Promise((resolve, reject) => {
      this.#waiting.push((outcome) => {
        if (outcome instanceof Error) reject(outcome);
        else resolve(outcome);
      });
    });
  };

  answer(outcome: readonly LookupAddress[] | Error): void {
    this.#waiting.shift()?.(outcome);
  }
}

describe('NameCache', () => {
  it('asks once for a name, whoever wants it', async () => {
    const resolver = new SlowResolver();
    const names = new NameCache({ resolve: resolver.resolve });
    const both = Promise.all([names.addresses('peer'), names.addresses('peer')]);
    resolver.answer([address(2)]);
    assert.deepEqual(await both, [[address(2)], [address(2)]]);
    assert.deepEqual(await names.addresses('peer'), [address(2)]);
    assert.deepEqual(resolver.asked, ['peer']);
  });

  it('goes on with the address it knows when no newer one comes soon', async () => {
    const resolver = new SlowResolver();
    const names = new NameCache({ resolve: resolver.resolve, freshMs: 0, patienceMs: 1 });
    const first = names.addresses('peer');
    resolver.answer([address(2)]);
    await first;
    assert.deepEqual(await names.addresses('peer'), [address(2)]);
    assert.deepEqual(await names.addresses('peer'), [address(2)]);
    assert.deepEqual(resolver.asked, ['peer', 'peer']);
  });

  it('takes a newer address that comes in time, and asks anew after it was told to forget', async () => {
    const resolver = new SlowResolver();
    const names = new NameCache({ resolve: resolver.resolve, freshMs: 60_000 });
    const first = names.addresses('peer');
    resolver.answer([address(2)]);
    await first;
    names.forget('peer');
    const second = names.addresses('peer');
    resolver.answer([address(3)]);
    assert.deepEqual(await second, [address(3)]);
  });

  it('passes on that a name is not known, and knows nothing then', async () => {
    const resolver = new SlowResolver();
    const names = new NameCache({ resolve: resolver.resolve, freshMs: 0, patienceMs: 60_000 });
    const first = names.addresses('peer');
    resolver.answer([address(2)]);
    await first;
    const second = names.addresses('peer');
    resolver.answer(Object.assign(new Error('gone'), { code: 'ENOTFOUND' }));
    await assert.rejects(second, { code: 'ENOTFOUND' });
    const third = names.addresses('peer');
    resolver.answer([address(4)]);
    assert.deepEqual(await third, [address(4)]);
  });

  it('serves connections', async () => {
    const server = createServer((_, response) => response.writeHead(204).end());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const names = new NameCache({ resolve: async () => [address(1)] });
    const agent = new Agent({ connect: { lookup: names.lookup } });
    const url = `http://peer.invalid:${port}/`;
    const { statusCode } = await request(url, { method: 'GET', dispatcher: agent });
    await agent.destroy();
    server.close();
    assert.equal(statusCode, 204);
  });
});
