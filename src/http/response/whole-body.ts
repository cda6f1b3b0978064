import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Block } from '../../native/abi/types.ts';
import { writeBlockToSocket } from '../../native/arena/native-block.ts';
import { plainDescriptorOf } from '../../node-internals/socket-descriptor.ts';
import { writeToSocket } from '../../os/socket-write.ts';

/** The body of a response that is complete and small. */
export interface WholeBody {
  readonly bytes: number;
  /** Writes an ASCII head and the body behind it, in one system call where the kernel takes all of it. */
  write(socket: Socket, head: string): void;
  /** Ends a response, whose head is written, with the body. */
  end(res: ServerResponse): void;
}

export function textBody(text: string): WholeBody {
  return {
    bytes: Buffer.byteLength(text),
    write(socket, head) {
      const descriptor = plainDescriptorOf(socket);
      const sent = descriptor < 0 ? 0 : writeToSocket(descriptor, head, text, 'utf8');
      if (sent === 0) socket.write(head + text, 'utf8');
      else if (sent < head.length + this.bytes)
        socket.write(Buffer.from(head + text).subarray(sent));
    },
    end: (res) => void res.end(text),
  };
}

/** The bytes of a block from `start` to before `end`. The caller releases the block behind the write. */
export function blockBody(block: Block, start: number, end: number): WholeBody {
  const text = () => block.view.toString('latin1', start, end);
  return {
    bytes: end - start,
    write(socket, head) {
      const descriptor = plainDescriptorOf(socket);
      const sent = descriptor < 0 ? 0 : writeBlockToSocket(descriptor, head, block, start, end);
      if (sent === 0) socket.write(head + text(), 'latin1');
      else if (sent < head.length + end - start) {
        socket.write(Buffer.from(head + text(), 'latin1').subarray(sent));
      }
    },
    end: (res) => void res.end(text(), 'latin1'),
  };
}
