/**
 * The end of what a worker wrote to stderr, for the report of its death. The distributed engine names
 * keys wherever it prints, and a log has none, so of the lines there only those are told that are
 * surely not the engine's, or surely name no key. A key cannot forge one: it has no control bytes, so
 * what it says never begins a line.
 */

const keyless = [
  // The embedded engine, Node and the loader.
  /^(?:memcache-embedded warning: |\(node:\d+\) |ERROR: ld\.so: )/,
  /^\S+: error while loading shared libraries: /,
  // Node at the end of a process: its version, and V8 without memory; a sanitizer's report.
  /^(?:Node\.js v\d|<--- |==\d+==)/,
  /^FATAL ERROR: [\w ()-]+ - JavaScript heap out of memory$/,
  // The C and C++ libraries; an exception's own text follows on the next line, and is not told.
  /^terminate called (?:after throwing an instance of '|without an active exception)/,
  /^(?:double free or corruption|corrupted (?:size|double-linked)|\*\*\* stack smashing detected)/,
  /^(?:free|malloc|realloc|munmap_chunk)\(\): /,
];

/** `    at open (file:///srv/worker.js:3:5)`: no other program writes such lines. */
const stackFrame = /^ +at (?:.* \(?)?(?:file:\/\/|node:|\/)\S*:\d+:\d+\)?(?: \{)?$/;
const errorHead = /^(?:Uncaught )?[A-Z]\w*(?: \[\w+\])?(?:: |$)/;

/** A warning of which we know that it names no key: the embedded engine's, Node's and the loader's. */
export const isKeylessWarning = (line: string): boolean => keyless[0]?.test(line) === true;

/** The lines that name no key, with an error's first line where its stack shows whose it is. */
export function withoutKeys(lines: readonly string[]): string {
  const told = lines.filter(
    (line, at) =>
      keyless.some((form) => form.test(line)) ||
      stackFrame.test(line) ||
      (errorHead.test(line) && stackFrame.test(lines[at + 1] ?? '')),
  );
  const others = lines.filter((line) => line.trim() !== '').length - told.length;
  if (others > 0)
    told.push(`(lines left out that may name keys, see --log-level debug: ${others})`);
  return told.join('\n');
}

export interface Tail {
  push(chunk: Buffer): void;
  /** What there is, as it is. */
  text(): string;
  /** Without a first line whose beginning has gone. */
  lines(): string[];
}

/** Keeps the last bytes that go by. */
export function createTail(bytes: number): Tail {
  let tail = Buffer.alloc(0);
  let cut = false;
  return {
    push(chunk) {
      cut ||= tail.length + chunk.length > bytes;
      // Copied, since a slice would keep the whole chunk alive.
      tail = Buffer.from(Buffer.concat([tail, chunk.subarray(-bytes)]).subarray(-bytes));
    },
    text: () => tail.toString('utf8').trim(),
    lines: () =>
      tail
        .toString('utf8')
        .split('\n')
        .slice(cut ? 1 : 0)
        .map((line) => line.trimEnd()),
  };
}
