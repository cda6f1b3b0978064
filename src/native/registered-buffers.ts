import { type Address, addressOf } from './abi.ts';
import { MemorySlice, ownerless } from './native-block.ts';

/** A Buffer whose memory the engine knows: its bytes need no copy on their way. */
export interface RegisteredBuffer {
  readonly address: Address;
  /** Held, so that it is not collected while the engine has its address. */
  readonly bytes: Uint8Array;
}

/** The Buffers registered with the engine, few and long-lived. */
export class RegisteredBuffers {
  readonly #buffers = new Map<Address, RegisteredBuffer>();

  /** Where a Buffer lies, for the engine. @throws TypeError when its memory may move or shrink. */
  locate(bytes: Uint8Array): RegisteredBuffer {
    const { buffer } = bytes;
    if (bytes.length === 0) throw new TypeError('an empty buffer cannot be registered');
    if (buffer instanceof ArrayBuffer && (buffer as { resizable?: boolean }).resizable === true) {
      throw new TypeError('a resizable buffer cannot be registered');
    }
    return { address: addressOf(bytes), bytes };
  }

  add(registered: RegisteredBuffer): void {
    this.#buffers.set(registered.address, registered);
  }

  delete(registered: RegisteredBuffer): void {
    this.#buffers.delete(registered.address);
  }

  /** The bytes as a block in place, when they lie within a registered Buffer. */
  inPlace(bytes: Uint8Array): MemorySlice | undefined {
    for (const { address, bytes: whole } of this.#buffers.values()) {
      if (whole.buffer !== bytes.buffer) continue;
      const offset = bytes.byteOffset - whole.byteOffset;
      if (offset < 0 || offset + bytes.length > whole.length) continue;
      return new MemorySlice(ownerless, {
        address: (address + offset) as Address,
        memory: bytes,
        start: 0,
        length: bytes.length,
      });
    }
    return undefined;
  }
}
