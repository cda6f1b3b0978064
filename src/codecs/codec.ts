import type { ProblemError } from '../errors.ts';
import type { BodySink } from '../http/receive-stream.ts';

/**
 * The body of a batch get in one coding: what stands around the bytes of the objects, which go from
 * their block to the socket as they are.
 */
export interface ReadEncoder {
  readonly contentType: string;
  /** Bytes of the whole body, where its head promises them. A failure after the head then breaks the connection. */
  readonly contentLength: number | undefined;
  /** Whether the bytes of objects are sent as base64. */
  readonly base64: boolean;
  /** What comes before the first item, once; and how many bytes of it are to be set aside for. */
  readonly openBytes: number;
  open(): readonly Uint8Array[];
  /**
   * What comes before and after the bytes of an item; ASCII or UTF-8. Where objects are cut, items
   * are their layers: as many for each object, in order.
   */
  before(index: number, size: number): string;
  after(index: number): string;
  /** An object that can't be had. */
  failure(index: number, problem: ProblemError): string;
  /** What comes after the last item. */
  close(failed: number): string;
}

/** The body of a batch put in one coding: it gives a ValueSink what it finds, piece by piece. */
export interface PutDecoder extends BodySink {
  /** Gives the sink nothing more, and lets go of what it holds; harmless when it is done. */
  destroy(): void;
}
