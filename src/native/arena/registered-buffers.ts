import type { Address } from '../../os/libc.ts';
import { addressOf } from '../../os/libc.ts';
import type { Block } from '../abi/types.ts';
import { permanentBlock } from './native-block.ts';

/** A Buffer whose memory is registered with the engine: its bytes need no copy. */
export interface RegisteredBuffer {
  readonly address: Address;
  /** A reference, so that it is not collected while the engine has its address. */
  readonly bytes: Uint8Array;
}

/** The Buffers registered with the engine, few and long-lived. */
export class RegisteredBuffers {
  readonly #buffers = new Map<Address, RegisteredBuffer>();

  /** Registers the memory of a Buffer. @throws TypeError if its memory may move or shrink. */
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

  /** The bytes as a block in place, if they are inside a registered Buffer. */
  inPlace(bytes: Uint8Array): Block | undefined {
    for (const { address, bytes: whole } of this.#buffers.values()) {
      if (whole.buffer !== bytes.buffer) continue;
      const offset = bytes.byteOffset - whole.byteOffset;
      if (offset < 0 || offset + bytes.length > whole.length) continue;
      return permanentBlock({
        address: (address + offset) as Address,
        memory: bytes,
        start: 0,
        length: bytes.length,
      });
    }
    return undefined;
  }
}
