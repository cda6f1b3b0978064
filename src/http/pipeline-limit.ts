import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Gateway } from './exchange.ts';
import { openTextHold, type TextHold } from './text-hold.ts';

/** Pipelined requests of a connection that wait for free; from then on nothing more is read. */
const FREE_REQUESTS = 16;
/** A request and its response as node:http holds them, and each header name or value of it. */
const REQUEST_BYTES = 2560;
const HEADER_BYTES = 48;

interface Pipeline {
  /** Requests that wait, each with what it was charged. */
  readonly waiting: number[];
  readonly hold: TextHold;
  /** Nothing more is to be read. */
  stopped: boolean;
  /** `resume` is still to be emitted. */
  starting: boolean;
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
 * 1,600 requests, which take 4 MB of heap, and it reads on as long as no response has data. So reading
 * stops while requests wait, and those beyond a few are charged to the text budget.
 */
export function createPipelineLimit(
  gateway: Pick<Gateway, 'heldText'>,
  onOverflow: (waiting: number) => void,
): PipelineLimit {
  const pipelines = new WeakMap<Socket, Pipeline>();

  function open(req: IncomingMessage): Pipeline {
    const hold = openTextHold(gateway, { req });
    const pipeline: Pipeline = { waiting: [], hold, stopped: false, starting: false };
    pipelines.set(req.socket, pipeline);
    req.socket.once('close', () => hold.release());
    return pipeline;
  }

  return {
    enter(req) {
      const { socket } = req;
      if (socket.destroyed) return false;
      const pipeline = pipelines.get(socket) ?? open(req);
      const { waiting, hold } = pipeline;
      const bytes = waiting.length < FREE_REQUESTS ? 0 : bytesOf(req);
      try {
        hold.take(bytes);
      } catch {
        onOverflow(waiting.length);
        socket.destroy();
        return false;
      }
      waiting.push(bytes);
      if (waiting.length >= FREE_REQUESTS) stopReading(socket, pipeline);
      return true;
    },
    leave(socket) {
      const pipeline = pipelines.get(socket);
      if (pipeline === undefined) return;
      pipeline.hold.giveBack(pipeline.waiting.shift() ?? 0);
      if (!pipeline.stopped || pipeline.waiting.length > FREE_REQUESTS / 2) return;
      pipeline.stopped = false;
      socket.resume();
    },
  };
}

/**
 * node:http stops reading on the event `pause`. A socket that another process has passed on never
 * flowed, and emits it only after it has flowed once.
 */
function stopReading(socket: Socket, pipeline: Pipeline): void {
  if (!pipeline.stopped && socket.readableFlowing !== true) {
    pipeline.starting = true;
    // `resume` is emitted in a later turn: a pause before it would be undone by it.
    socket.once('resume', () => {
      pipeline.starting = false;
      if (pipeline.stopped) socket.pause();
    });
    socket.resume();
  } else if (!pipeline.starting) socket.pause();
  pipeline.stopped = true;
}

function bytesOf({ rawHeaders, url = '' }: IncomingMessage): number {
  const texts = rawHeaders.reduce((sum, text) => sum + text.length, url.length);
  return REQUEST_BYTES + HEADER_BYTES * rawHeaders.length + 2 * texts;
}
