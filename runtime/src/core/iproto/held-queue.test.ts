import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { MsgpackWriter } from '../msgpack/encode.ts';
import { HeldQueue } from './held-queue.ts';

interface Held {
  readonly number: number;
  readonly text: string;
  readonly isWrite: boolean;
}

type Step =
  | ({ readonly op: 'add' } & Held)
  | { readonly op: 'settle' | 'fail'; readonly number: number };

const aNumber = fc.integer({ min: 1, max: 60 });
const aStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constant('add' as const),
      number: aNumber,
      text: fc
        .string({ minLength: 1, maxLength: 5, unit: 'grapheme-ascii' })
        .map((text) => text.repeat(4000)),
      isWrite: fc.boolean(),
    }),
  },
  fc.record({ op: fc.constantFrom('settle' as const, 'fail' as const), number: aNumber }),
);

const ascii = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

describe('held replies', () => {
  it('leave in their order, none before its row', () => {
    fc.assert(
      fc.property(fc.array(aStep, { maxLength: 120 }), (steps) => {
        const queue = new HeldQueue();
        let model: readonly Held[] = [];
        for (const step of steps) {
          if (step.op === 'add') {
            const raw = Buffer.from(step.text);
            queue.writer.raw(raw, 0, raw.length);
            queue.add(step.number, step.isWrite);
            model = [...model, step];
            continue;
          }
          const stays = model.findIndex(({ number }) => number > step.number);
          const leaving = stays < 0 ? model : model.slice(0, stays);
          model = model.slice(leaving.length);
          if (step.op === 'settle') {
            const out = new MsgpackWriter();
            queue.settle(step.number, out);
            assert.equal(ascii(out.take()), leaving.map(({ text }) => text).join(''));
          } else {
            const failed: [string, boolean][] = [];
            const { bytes } = queue.writer;
            queue.fail(step.number, (start, isWrite) => {
              failed.push([ascii(bytes.subarray(start, start + 1)), isWrite]);
            });
            assert.deepEqual(
              failed,
              leaving.map(({ text, isWrite }) => [text.charAt(0), isWrite]),
            );
          }
          assert.equal(queue.count, model.length);
          assert.equal(queue.byteLength, model.map(({ text }) => text).join('').length);
        }
      }),
      { numRuns: 60 },
    );
  });
});
