import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Change, type Tuple, WriteLedger } from './write-ledger.ts';

const row = (id: string, version: number): Tuple => [id, 0, version, 'label', 1, null, 1, ''];
const put = (id: string, version: number): Change => ({ id, apply: () => row(id, version) });
const found = (...rows: readonly Tuple[]): Map<string, Tuple> =>
  new Map(rows.map((tuple) => [tuple[0], tuple]));

describe('a ledger of what was written', () => {
  it('finds that an acknowledged step is missing', () => {
    const ledger = new WriteLedger();
    ledger.send([put('a', 1)]);
    ledger.acknowledge(ledger.send([put('b', 2)]));

    const { steps, wrong } = ledger.settle(found(row('a', 1)));

    assert.equal(steps, undefined);
    assert.deepEqual(wrong, ['b before: none; steps 2: version 2; found: none']);
  });

  it('takes the end of what was not acknowledged as there or not', () => {
    const ledger = new WriteLedger();
    ledger.acknowledge(ledger.send([put('a', 1)]));
    ledger.send([put('b', 2)]);
    ledger.send([put('c', 3)]);

    const { steps } = ledger.settle(found(row('a', 1), row('b', 2)));

    assert.equal(steps, 2);
  });

  it('finds a step that is there without the one before it', () => {
    const ledger = new WriteLedger();
    ledger.send([put('a', 1)]);
    ledger.send([put('b', 2)]);

    const { steps } = ledger.settle(found(row('b', 2)));

    assert.equal(steps, undefined);
  });

  it('learns nothing from the end of a transaction whose statements were all refused', () => {
    const ledger = new WriteLedger();
    ledger.send([put('a', 1)]);
    const step = ledger.send([put('b', 2)]);
    ledger.refuse(step);
    ledger.acknowledge(step);

    const { steps } = ledger.settle(found());

    assert.equal(steps, 0);
  });
});
