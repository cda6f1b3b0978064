/**
 * The possible values of each object of the soak run, from the responses and from the requests without a
 * response. A value can be created again from its key, version and length.
 */

/** Bytes that show key and version at every position. */
export function bytesOf(key, { version, length }) {
  const bytes = Buffer.allocUnsafe(length);
  let state = Math.imul(version, 0x9e3779b1);
  for (const character of key) state = Math.imul(state ^ character.charCodeAt(0), 0x01000193);
  for (let at = 0; at < length; at += 1) {
    state = Math.imul(state ^ (state >>> 15), 0x85ebca6b) + 0x6d2b79f5;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

/** The records of one caller, which has its own keys and one request in flight. */
export function createBook() {
  const possible = new Map();
  const of = (key) => possible.get(key) ?? [];
  return {
    /** The value may be stored; no response has confirmed it. */
    mayHave: (key, value) => possible.set(key, [...of(key), value]),
    /** The value is stored; all other possible values are not. */
    has: (key, value) => possible.set(key, [value]),
    /** No read may return the value any more. */
    gone: (key) => possible.delete(key),
    /** Whether these bytes are a possible value; if so, it is the only one from now on. */
    check(key, bytes) {
      const value = of(key).find(
        (one) => one.length === bytes.length && bytesOf(key, one).equals(bytes),
      );
      if (value === undefined) return false;
      possible.set(key, [value]);
      return true;
    },
  };
}
