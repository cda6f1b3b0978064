import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { probeBodyTap } from './body-tap.ts';
import { probeConnectionChecks } from './connection-checks.ts';
import { type Handle, probeBareHandles } from './connection-handle.ts';
import { probeDirectRead } from './direct-read-probe.ts';
import type { DisabledFeatures } from './feature-names.ts';
import { probeHalfOpen } from './half-open.ts';
import { probeLingerClose } from './linger-close.ts';
import { probeListenerDescriptor } from './listener-descriptor.ts';
import { nodeFeature, setFeature } from './node-features.ts';
import { probeOneWrite } from './one-write.ts';
import { probeParserPause } from './parser-pause.ts';
import { probeParserRemoval } from './parser-removal.ts';
import { runProbe } from './run-probe.ts';
import { probeSocketDescriptor } from './socket-descriptor.ts';
import { streamPair } from './stream-pair.ts';
import { probeWriteQueue } from './write-queue.ts';

export interface WorkerProbes {
  /** Features that stay off without a probe. */
  readonly disabled: DisabledFeatures;
  /** Two sockets that are connected to each other, and to nothing else. */
  readonly socketPair: () => readonly [Socket, Socket];
  /** Sends a handle to the supervisor and back; undefined when it was lost. */
  readonly echo: (handle: Handle) => Promise<Handle | Socket | undefined>;
}

/**
 * Probes every feature, side by side, on objects and sockets of the probes' own. Must have resolved
 * before the worker serves a client. Never rejects.
 */
export async function probeWorkerFeatures(probes: WorkerProbes): Promise<void> {
  const { disabled, socketPair, echo } = probes;
  await Promise.all([
    probeServerFeatures(disabled, socketPair),
    runProbe('body-tap', probeBodyTap, disabled),
    runProbe('one-write', probeOneWrite, disabled),
    runProbe('socket-descriptor', () => probeSocketDescriptor(socketPair), disabled),
    runProbe('write-queue', () => probeWriteQueue(socketPair), disabled),
    runProbe('bare-handles', () => probeBareHandles(socketPair, echo), disabled),
    runProbe('listener-descriptor', probeListenerDescriptor, disabled),
    runProbe('parser-pause', () => probeParserPause(socketPair), disabled),
    runProbe('direct-read', () => probeDirectRead(socketPair), disabled),
  ]);
  const tap = nodeFeature('body-tap');
  if (nodeFeature('direct-read').enabled && !tap.enabled) {
    // Otherwise the bytes that the parser passes on would be placed after those that follow them.
    setFeature('direct-read', tap.state, 'it needs body-tap, which is off');
  }
}

/**
 * Probes the features that every HTTP server uses, also that of the supervisor, which can make no
 * pair of sockets. Never rejects.
 */
export async function probeServerFeatures(
  disabled: DisabledFeatures,
  connectionPair: () => readonly [Duplex, Duplex] = streamPair,
): Promise<void> {
  await Promise.all([
    runProbe('half-open', probeHalfOpen, disabled),
    runProbe('connection-checks', probeConnectionChecks, disabled),
    runProbe('linger-close', probeLingerClose, disabled),
    runProbe('parser-removal', () => probeParserRemoval(connectionPair), disabled),
  ]);
}
