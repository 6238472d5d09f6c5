import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { describe, it } from 'node:test';
import { diskFailure } from './disk-failure.ts';

const { ENOSPC, EDQUOT, EIO } = constants.errno;

describe('a failure of the disk', () => {
  const told = (number: number, isFull?: boolean): string =>
    diskFailure({ file: 'log/1.xlog', number, cause: undefined, ...(isFull && { isFull }) })
      .message;

  it('is a full disk when there is no room, no quota, or what was found says so', () => {
    assert.match(told(ENOSPC), /^The disk is full \(ENOSPC\): log\/1\.xlog/);
    assert.match(told(EDQUOT), /^The disk is full \(EDQUOT\): log\/1\.xlog/);
    assert.match(told(EIO, true), /^The disk is full \(ENOSPC\): log\/1\.xlog/);
  });

  it('is a failed disk otherwise, by the number of a library too', () => {
    assert.match(told(EIO), /^The disk has failed \(EIO\): nobody knows what of log\/1\.xlog/);
    assert.match(told(-30_793), /^The disk has failed \(-30793\)/);
  });
});
