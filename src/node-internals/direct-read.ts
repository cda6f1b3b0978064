import type { Socket } from 'node:net';
import { nodeFeature } from './node-features.ts';

const feature = nodeFeature('direct-read');

/** Where a part of a body goes whose length is known. */
export interface DirectTarget {
  /** Where the next bytes go: at least one, and none that do not belong to the body. */
  next(): Uint8Array;
  /** So many bytes were put there. */
  filled(bytes: number): void;
  /** Bytes still missing; at 0 the target is done with. */
  missing(): number;
}

/** The parts below a socket that are used here; direct-read-probe.ts proves that they work. */
interface Handle {
  readonly bytesRead: number;
  /** Called after each read; what it returns is where the next one goes. */
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

/** Read at a time, so that one upload does not keep the loop to itself. */
const WINDOW_BYTES = 256 * 1024;
/** Whatever is no target's: heads, small bodies. One for all, since a read is dealt with before the next. */
const common = Buffer.alloc(64 * 1024);
const connections = new WeakMap<Socket, Connection>();

/**
 * How a parser is kept from passing body bytes on: `clear` takes its callback away, which is enough
 * up to Node 24. From 26.12 a parser remembers its callbacks from the first call on; `forget` has it
 * forget them first, as node:http does between two connections.
 */
export type Silencing = 'clear' | 'forget';
let silencing: Silencing = 'clear';

/** Sets what the probe found to work. */
export function useSilencing(found: Silencing): void {
  silencing = found;
}

/**
 * What comes on the socket next is written by the kernel into the target, until that has all it
 * misses: the next bytes must be its own, once what has been read already is parsed. Where it cannot
 * be done, they go on coming through the parser.
 */
export function readDirectly(socket: Socket, target: DirectTarget): void {
  if (feature.enabled) beginDirectRead(socket, target, silencing);
}

/** As `readDirectly`, whether the feature is on or not: for the probe. */
export function beginDirectRead(socket: Socket, target: DirectTarget, how: Silencing): void {
  const connection = connections.get(socket);
  if (connection === undefined) process.nextTick(takeOver, socket, target, how);
  else connection.begin(target);
}

/** Writes no more into a target, whose memory may be given away when this returns. */
export function stopReadingDirectly(socket: Socket): void {
  connections.get(socket)?.stop();
}

/** Behind the turn of the parser, which could not be taken off its connection within it. */
function takeOver(socket: Internals, target: DirectTarget, how: Silencing): void {
  const { _handle: handle, parser } = socket;
  if (handle == null || parser == null || socket.destroyed || target.missing() === 0) return;
  connections.set(socket, new Connection(socket, handle, parser, target, how));
}

/**
 * A connection whose reads are ours. node:http has its parser read a connection in C++, into memory
 * of the parser's; from there each chunk is copied into a Buffer of its own, and many Buffers keep
 * the garbage collector busy. Here the parser is taken off the connection, once and for good, and is
 * given what was read. It is told of body bytes too, so that it knows where the body ends; but they
 * lie in their place already, so for that time it has nobody to give them to and makes no Buffers.
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

  /** Holds from the next read on that is not under way. */
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

  /** Called by the handle, with what was read in the window; answers with the next one. */
  #read(): unknown {
    const { bytesRead } = this.#handle;
    const bytes = bytesRead - this.#seen;
    this.#seen = bytesRead;
    // The end of the stream or an error: Node's to tell.
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
