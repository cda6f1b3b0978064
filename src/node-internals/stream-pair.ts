import { Duplex } from 'node:stream';

/** Two streams, each of which reads what was written to the other: a connection for a probe. */
export function streamPair(): readonly [Duplex, Duplex] {
  const left: Duplex = end(() => right);
  const right: Duplex = end(() => left);
  return [left, right];
}

/** Probes write little, so nothing waits for the reader. */
function end(peer: () => Duplex): Duplex {
  return new Duplex({
    allowHalfOpen: true,
    read: () => undefined,
    write(chunk: Buffer, _encoding, written) {
      peer().push(chunk);
      written();
    },
    final(ended) {
      peer().push(null);
      ended();
    },
  });
}
