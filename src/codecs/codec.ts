import type { ProblemError } from '../errors/problems.ts';

/**
 * The body of a batch get in one coding: the text around the bytes of the objects. The bytes go from
 * their block to the socket without a copy.
 */
export interface ReadEncoder {
  readonly contentType: string;
  /** Bytes of the whole body, if the head has them. A failure after the head then breaks the connection. */
  readonly contentLength: number | undefined;
  /** The extension of a file with this body, from the dot; undefined when browsers show the body. */
  readonly fileExtension: string | undefined;
  /** Whether the bytes of objects are sent as base64. */
  readonly base64: boolean;
  /** The text before the first item, returned once; and the number of bytes to reserve for it. */
  readonly openBytes: number;
  open(): readonly Uint8Array[];
  /**
   * The text before and after the bytes of an item; ASCII or UTF-8. If objects are cut, the items are their
   * layers: the same number for each object, in order.
   */
  before(index: number, size: number): string;
  after(index: number): string;
  /** An object that could not be read. */
  failure(index: number, problem: ProblemError): string;
  /** The text after the last item. */
  close(failed: number): string;
}
