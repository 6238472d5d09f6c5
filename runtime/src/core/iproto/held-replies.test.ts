import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MsgpackWriter } from '../msgpack/encode.ts';
import { HeldReplyQueues } from './held-replies.ts';

function heldOf(replies: readonly (readonly [row: number, text: string])[]): HeldReplyQueues {
  const held = new HeldReplyQueues();
  for (const [row, text] of replies) {
    const bytes = Buffer.from(text);
    held.writer.raw(bytes, 0, bytes.length);
    held.add(row, true);
  }
  return held;
}

function settled(held: HeldReplyQueues, acknowledged: number, logged: number): string {
  const out = new MsgpackWriter();
  held.settle(acknowledged, logged, out);
  return Buffer.from(out.take()).toString();
}

describe('the held replies of a connection', () => {
  it('leave when in-sync members have their row, those of local spaces when the own log has it', () => {
    const held = heldOf([
      [3, 'three '],
      [-4, 'four '],
      [5, 'five '],
      [-6, 'six '],
    ]);
    assert.deepEqual([held.count, held.byteLength], [4, 20]);
    assert.equal(settled(held, 0, 4), 'four ');
    assert.equal(settled(held, 3, 6), 'three six ');
    assert.equal(settled(held, 4, 6), '');
    assert.equal(settled(held, 5, 6), 'five ');
    assert.deepEqual([held.count, held.byteLength], [0, 0]);
  });

  it('fail of either kind', () => {
    const held = heldOf([
      [3, 'three'],
      [-4, 'four'],
      [5, 'five'],
    ]);
    const failed: string[] = [];
    held.fail(4, (bytes, start) =>
      failed.push(
        Buffer.from(bytes)
          .toString()
          .slice(start, start + 4),
      ),
    );
    assert.deepEqual(failed, ['thre', 'four']);
    assert.equal(settled(held, 5, 5), 'five');
  });
});
