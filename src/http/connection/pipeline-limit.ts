import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { skipBody } from '../../node-internals/body-tap.ts';
import { pauseReading, resumeReading } from '../body/read-pause.ts';
import { connectionHold, type TextHold } from '../body/text-hold.ts';
import type { Gateway } from '../exchange.ts';

/** From this number of waiting requests on, the gateway does not read the connection. */
const MAX_WAITING = 16;
/** A request and its response as node:http holds them, and each header name or value of it. */
const REQUEST_BYTES = 2560;
const HEADER_BYTES = 48;

interface Pipeline {
  /** The waiting requests, each with the bytes that it was charged. */
  readonly waiting: number[];
  readonly hold: TextHold;
}

/**
 * Bounds the pipelined requests of a connection. node:http parses all requests of a packet and queues
 * them while the first is served: 64 KiB hold 1,600 requests, which take 4 MB of heap, and it reads on
 * as long as no response has data. So each waiting request is charged to the text budget, and the
 * gateway does not read a connection while many wait.
 */
export class PipelineLimit {
  readonly #gateway: Pick<Gateway, 'heldText'>;
  readonly #onOverflow: (waiting: number) => void;
  readonly #pipelines = new WeakMap<Socket, Pipeline>();

  constructor(gateway: Pick<Gateway, 'heldText'>, onOverflow: (waiting: number) => void) {
    this.#gateway = gateway;
    this.#onOverflow = onOverflow;
  }

  /**
   * Charges a request that waits until the responses before it are sent. False when the text budget
   * has no room for it: then the connection is destroyed, as nothing else stops the parser.
   */
  enter(req: IncomingMessage): boolean {
    const { socket } = req;
    if (socket.destroyed) return false;
    const pipeline = this.#of(socket);
    const bytes = this.#charge(req, pipeline);
    if (bytes === undefined) return false;
    pipeline.waiting.push(bytes);
    if (pipeline.waiting.length >= MAX_WAITING) pauseReading(socket, pipeline);
    return true;
  }

  /**
   * Charges a request that is not served, until its connection closes: node:http queues its response
   * anyway. Its body is discarded. Without room for it the connection is destroyed.
   */
  ignore(req: IncomingMessage): void {
    if (req.socket.destroyed) return;
    skipBody(req);
    this.#charge(req, this.#of(req.socket));
  }

  /** The request that has waited longest is served now. */
  leave(socket: Socket): void {
    const pipeline = this.#pipelines.get(socket);
    if (pipeline === undefined) return;
    pipeline.hold.giveBack(pipeline.waiting.shift() ?? 0);
    if (pipeline.waiting.length <= MAX_WAITING / 2) resumeReading(socket, pipeline);
  }

  #of(socket: Socket): Pipeline {
    const known = this.#pipelines.get(socket);
    if (known !== undefined) return known;
    const pipeline: Pipeline = { waiting: [], hold: connectionHold(this.#gateway, socket) };
    this.#pipelines.set(socket, pipeline);
    return pipeline;
  }

  /** The bytes that the request was charged; undefined without room for them. */
  #charge(req: IncomingMessage, { waiting, hold }: Pipeline): number | undefined {
    const bytes = bytesOf(req);
    try {
      hold.take(bytes);
      return bytes;
    } catch {
      this.#onOverflow(waiting.length);
      req.socket.destroy();
      return undefined;
    }
  }
}

function bytesOf({ rawHeaders, url = '' }: IncomingMessage): number {
  const texts = rawHeaders.reduce((sum, text) => sum + text.length, url.length);
  return REQUEST_BYTES + HEADER_BYTES * rawHeaders.length + 2 * texts;
}
