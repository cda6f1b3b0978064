/**
 * What the soak run knows of its objects: which values each may have, by what was answered and by what
 * was not. A value can be made again from its key, its version and its length.
 */

/** Bytes that tell key and version apart anywhere in them. */
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

/** The book of one caller, which has its keys for itself and one request under way. */
export function createBook() {
  const possible = new Map();
  const of = (key) => possible.get(key) ?? [];
  return {
    /** It may be there; whether it is, nobody has said. */
    mayHave: (key, value) => possible.set(key, [...of(key), value]),
    /** It is what is there: what else might have been is not. */
    has: (key, value) => possible.set(key, [value]),
    /** Nobody may read it any more. */
    gone: (key) => possible.delete(key),
    /** Whether these bytes are a value that may be there; then it is the one. */
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
