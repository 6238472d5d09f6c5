/** What every network of datagrams promises, on the simulated one and on UDP. */
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import type { Datagrams } from '../../runtime/src/ports/datagrams.ts';

export interface DatagramsSetUp {
  /** By its name, `host:port`. */
  open(): Promise<{ readonly datagrams: Datagrams; readonly name: string }>;
  /** Lets what is on its way arrive; called again and again. */
  pass(): Promise<void>;
  /** A name that leads nowhere. */
  readonly unknownName: string;
}

const PATIENCE = 500;

export function describeDatagrams(name: string, setUp: DatagramsSetUp): void {
  describe(`${name}, as datagrams`, () => {
    const opened: Datagrams[] = [];

    async function open(): Promise<{
      readonly datagrams: Datagrams;
      readonly name: string;
      readonly got: { readonly text: string; readonly from: string }[];
    }> {
      const one = await setUp.open();
      opened.push(one.datagrams);
      const got: { text: string; from: string }[] = [];
      one.datagrams.onDatagram((bytes, from) => {
        got.push({ text: new TextDecoder().decode(bytes), from });
      });
      return { ...one, got };
    }

    async function until(isDone: () => boolean): Promise<void> {
      for (let turn = 0; turn < PATIENCE && !isDone(); turn++) await setUp.pass();
    }

    const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

    afterEach(async () => {
      for (const datagrams of opened.splice(0)) await datagrams.close();
    });

    it('carries bytes to a name, and the answer to the place that they came from', async () => {
      const [a, b] = [await open(), await open()];
      await a.datagrams.send(b.name, bytes('question'));
      await until(() => b.got.length > 0);
      assert.deepEqual(
        b.got.map(({ text }) => text),
        ['question'],
      );
      await b.datagrams.send(b.got[0]?.from ?? '', bytes('answer'));
      await until(() => a.got.length > 0);
      assert.deepEqual(
        a.got.map(({ text }) => text),
        ['answer'],
      );
    });

    it('carries as much as a packet of gossip may have', async () => {
      const [a, b] = [await open(), await open()];
      const text = 'x'.repeat(1472);
      await a.datagrams.send(b.name, bytes(text));
      await until(() => b.got.length > 0);
      assert.equal(b.got[0]?.text, text);
    });

    it('gives a listener bytes of its own', async () => {
      const [a, b] = [await open(), await open()];
      const sent = bytes('before');
      await a.datagrams.send(b.name, sent);
      sent.fill(0);
      const kept: Uint8Array[] = [];
      b.datagrams.onDatagram((received) => kept.push(received));
      await a.datagrams.send(b.name, bytes('first'));
      await a.datagrams.send(b.name, bytes('later'));
      await until(() => kept.length > 1);
      const texts = kept
        .map((one) => new TextDecoder().decode(one))
        .filter((one) => one !== 'before');
      assert.deepEqual(texts.slice(-2).toSorted(), ['first', 'later']);
    });

    it('goes on when nobody is there', async () => {
      const [a, b, gone] = [await open(), await open(), await open()];
      await gone.datagrams.close();
      opened.splice(opened.indexOf(gone.datagrams), 1);
      for (let turn = 0; turn < 3; turn++) {
        await a.datagrams.send(gone.name, bytes('anybody?')).catch(() => undefined);
        await setUp.pass();
      }
      await a.datagrams.send(b.name, bytes('you'));
      await until(() => b.got.length > 0);
      assert.equal(b.got[0]?.text, 'you');
      assert.deepEqual(gone.got, []);
    });

    it('says that a name is unknown', async () => {
      const a = await open();
      await assert.rejects(a.datagrams.send(setUp.unknownName, bytes('hello')));
    });

    it('finds a name again that was forgotten [MEM-16]', async () => {
      const [a, b] = [await open(), await open()];
      await a.datagrams.send(b.name, bytes('one'));
      a.datagrams.forget(b.name);
      await a.datagrams.send(b.name, bytes('two'));
      await until(() => b.got.length > 1);
      assert.deepEqual(b.got.map(({ text }) => text).toSorted(), ['one', 'two']);
    });
  });
}
