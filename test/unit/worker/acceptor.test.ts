import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Accepted, Acceptor } from '../../../src/worker/acceptor.ts';

describe('a worker without room for connections', () => {
  it('says so once in each epoch', () => {
    const reports: Accepted[] = [];
    const acceptor = new Acceptor({
      onConnection: () => assert.fail(),
      hasRoom: () => false,
      report: (accepted) => reports.push(accepted),
    });
    // Without room it does not use the descriptors.
    acceptor.inherit(1);
    acceptor.permit(1, 5);
    acceptor.permit(1, 9);
    acceptor.permit(2, 5);
    acceptor.permit(3, 0);
    assert.deepEqual(
      reports.map(({ epoch, isFull }) => [epoch, isFull]),
      [
        [1, true],
        [2, true],
      ],
    );
  });
});
