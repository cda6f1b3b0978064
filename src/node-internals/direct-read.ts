import type { Socket } from 'node:net';
import { isEncrypted, nodeFeature } from './node-features.ts';

const feature = nodeFeature('direct-read');

/** The memory for a part of a body of known length. */
export interface DirectTarget {
  /** Where the next bytes go: at least one, and none that do not belong to the body. */
  next(): Uint8Array;
  /** So many bytes were put there. */
  filled(bytes: number): void;
  /** Bytes still missing; at 0 the target is not used any more. */
  missing(): number;
}

/** The parts below a socket that are used here; direct-read-probe.ts proves that they work. */
interface Handle {
  readonly bytesRead: number;
  /** Called after each read; returns the memory for the next one. */
  onread: (this: Handle, buffer?: ArrayBuffer) => unknown;
  useUserBuffer(buffer: Uint8Array): void;
}
interface Parser {
  readonly constructor: { readonly kOnBody?: number };
  _consumed: boolean;
  unconsume(): void;
  free(): void;
  [callback: number]: unknown;
}
type Internals = Socket & { _handle?: Handle | null; parser?: Parser | null };

/** Bytes of one read: a larger read would let one upload block the event loop. */
const WINDOW_BYTES = 256 * 1024;
/**
 * For bytes without a target: heads, small bodies. One for all connections, since each read is
 * parsed before the next.
 */
const common = Buffer.alloc(64 * 1024);
const connections = new WeakMap<Socket, Connection>();

/**
 * How a parser is kept from passing body bytes on: `clear` removes its callback, which is enough up
 * to Node 24. From 26.12 a parser keeps the callbacks of the first call; `forget` clears those
 * first, as node:http does between two connections.
 */
export type Silencing = 'clear' | 'forget';
let silencing: Silencing = 'clear';

/** Sets the way that the probe has found to work. */
export function useSilencing(found: Silencing): void {
  silencing = found;
}

/**
 * Has the kernel write the next bytes of the socket into the target until it is full. Those bytes
 * must belong to the target, once the bytes that have been read already are parsed. Where that is
 * not possible, the parser passes them on.
 */
export function readDirectly(socket: Socket, target: DirectTarget): void {
  if (feature.enabled && !isEncrypted(socket)) beginDirectRead(socket, target, silencing);
}

/** As `readDirectly`, whether the feature is on or not: for the probe. */
export function beginDirectRead(socket: Socket, target: DirectTarget, how: Silencing): void {
  const connection = connections.get(socket);
  if (connection === undefined) process.nextTick(takeOver, socket, target, how);
  else connection.begin(target);
}

/** Writes no more into a target; its memory may be released when this returns. */
export function stopReadingDirectly(socket: Socket): void {
  connections.get(socket)?.stop();
}

/** After the call of the parser, which cannot be detached from its connection within that call. */
function takeOver(socket: Internals, target: DirectTarget, how: Silencing): void {
  const { _handle: handle, parser } = socket;
  if (handle == null || parser == null || socket.destroyed || target.missing() === 0) return;
  connections.set(socket, new Connection(socket, handle, parser, target, how));
}

/**
 * A connection that the gateway reads itself. node:http has its parser read a connection in C++
 * into the parser's memory, and copies each chunk into a new Buffer; many Buffers keep the garbage
 * collector busy. Here the parser is detached from the connection for good, and gets the bytes
 * that were read. It parses body bytes too, so that it finds the end of the body; but those are in the
 * target already, so the parser has no callback for them and makes no Buffers.
 */
class Connection {
  readonly #socket: Internals;
  readonly #handle: Handle;
  readonly #onBody: number;
  readonly #silencing: Silencing;
  readonly #told: Handle['onread'];
  #seen: number;
  #target: DirectTarget | undefined;
  /** Where the next bytes go. */
  #window: Uint8Array;
  #reading = false;

  constructor(
    socket: Internals,
    handle: Handle,
    parser: Parser,
    target: DirectTarget,
    how: Silencing,
  ) {
    this.#silencing = how;
    this.#socket = socket;
    this.#handle = handle;
    this.#onBody = parser.constructor.kOnBody as number;
    this.#told = handle.onread;
    this.#seen = handle.bytesRead;
    parser.unconsume();
    parser._consumed = false;
    handle.onread = () => this.#read();
    this.#target = target;
    this.#window = this.#nextWindow();
    handle.useUserBuffer(this.#window);
  }

  /** Applies from the next read on that has not begun. */
  begin(target: DirectTarget): void {
    this.#target = target;
  }

  stop(): void {
    this.#target = undefined;
    if (this.#reading || this.#window === common || this.#socket.destroyed) return;
    this.#window = common;
    // Outside a read its place can only be changed by a listener on top of the last, which stays
    // until the connection closes; this one is about to.
    this.#handle.useUserBuffer(common);
  }

  #nextWindow(): Uint8Array {
    if (this.#target?.missing() === 0) this.#target = undefined;
    const room = this.#target?.next() ?? common;
    return room.length > WINDOW_BYTES ? room.subarray(0, WINDOW_BYTES) : room;
  }

  /** The handle calls this with the bytes that it read into the window; returns the next window. */
  #read(): unknown {
    const { bytesRead } = this.#handle;
    const bytes = bytesRead - this.#seen;
    this.#seen = bytesRead;
    // Node reports the end of the stream, and errors.
    if (bytes === 0) return this.#told.call(this.#handle);
    this.#reading = true;
    try {
      const chunk = this.#window.subarray(0, bytes);
      if (this.#window === common) this.#socket.emit('data', chunk);
      else this.#takeBody(chunk);
    } finally {
      this.#reading = false;
    }
    this.#window = this.#nextWindow();
    return this.#window;
  }

  #takeBody(chunk: Uint8Array): void {
    this.#target?.filled(chunk.length);
    const { parser } = this.#socket;
    if (parser == null) return;
    const onBody = parser[this.#onBody];
    parser[this.#onBody] = undefined;
    if (this.#silencing === 'forget') parser.free();
    try {
      this.#socket.emit('data', chunk);
    } finally {
      // Parsers are used again, for other connections too.
      parser[this.#onBody] = onBody;
    }
  }
}
