import { libc } from './libc.ts';

/** A struct pollfd: descriptor (int), requested events (short), returned events (short). */
const asked = Buffer.alloc(8);

/** The events of poll(2) that hold for a descriptor, out of `events` and those that are always reported. */
export function eventsOf(fd: number, events: number): number {
  if (fd < 0) return 0;
  asked.writeInt32LE(fd, 0);
  asked.writeInt16LE(events, 4);
  return libc().poll(asked, 1, 0) > 0 ? asked.readInt16LE(6) : 0;
}
