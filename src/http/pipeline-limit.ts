import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Gateway } from './exchange.ts';
import { pauseReading, resumeReading } from './read-pause.ts';
import { connectionHold, type TextHold } from './text-hold.ts';

/** From this number of waiting requests on, the gateway does not read the connection. */
const MAX_WAITING = 16;
/** A request and its response as node:http holds them, and each header name or value of it. */
const REQUEST_BYTES = 2560;
const HEADER_BYTES = 48;

interface Pipeline {
  /** Requests that wait, each with what it was charged. */
  readonly waiting: number[];
  readonly hold: TextHold;
}

export interface PipelineLimit {
  /**
   * Counts a request that waits until the responses before it have left. False when the text budget
   * has no room for it: then the connection is destroyed, as nothing else stops the parser.
   */
  enter(req: IncomingMessage): boolean;
  /** The request that has waited longest waits no more. */
  leave(socket: Socket): void;
}

/**
 * node:http parses all requests of a packet and queues them while the first is served: 64 KiB hold
 * 1,600 requests, which take 4 MB of heap, and it reads on as long as no response has data. So each
 * waiting request is charged to the text budget, and the connection is not read while many wait.
 */
export function createPipelineLimit(
  gateway: Pick<Gateway, 'heldText'>,
  onOverflow: (waiting: number) => void,
): PipelineLimit {
  const pipelines = new WeakMap<Socket, Pipeline>();

  function open(req: IncomingMessage): Pipeline {
    const hold = connectionHold(gateway, req);
    const pipeline: Pipeline = { waiting: [], hold };
    pipelines.set(req.socket, pipeline);
    return pipeline;
  }

  return {
    enter(req) {
      const { socket } = req;
      if (socket.destroyed) return false;
      const pipeline = pipelines.get(socket) ?? open(req);
      const { waiting, hold } = pipeline;
      const bytes = bytesOf(req);
      try {
        hold.take(bytes);
      } catch {
        onOverflow(waiting.length);
        socket.destroy();
        return false;
      }
      waiting.push(bytes);
      if (waiting.length >= MAX_WAITING) pauseReading(socket, pipeline);
      return true;
    },
    leave(socket) {
      const pipeline = pipelines.get(socket);
      if (pipeline === undefined) return;
      pipeline.hold.giveBack(pipeline.waiting.shift() ?? 0);
      if (pipeline.waiting.length <= MAX_WAITING / 2) resumeReading(socket, pipeline);
    },
  };
}

function bytesOf({ rawHeaders, url = '' }: IncomingMessage): number {
  const texts = rawHeaders.reduce((sum, text) => sum + text.length, url.length);
  return REQUEST_BYTES + HEADER_BYTES * rawHeaders.length + 2 * texts;
}
