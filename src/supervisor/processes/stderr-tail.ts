/**
 * The end of a worker's stderr, for the report of its exit. The distributed engine prints keys, and
 * a log must contain none. So the report has only lines that certainly name no key. A key cannot
 * forge such a line: it has no control bytes, so its text never begins a line.
 */

const keyless = [
  // The embedded engine, Node and the loader.
  /^(?:memcache-embedded warning: |\(node:\d+\) |ERROR: ld\.so: )/,
  /^\S+: error while loading shared libraries: /,
  // Node as a process ends: its version, and V8 out of memory; the report of a sanitizer.
  /^(?:Node\.js v\d|<--- |==\d+==)/,
  /^FATAL ERROR: [\w ()-]+ - JavaScript heap out of memory$/,
  // The C and C++ libraries; an exception's own text follows on the next line, which is dropped.
  /^terminate called (?:after throwing an instance of '|without an active exception)/,
  /^(?:double free or corruption|corrupted (?:size|double-linked)|\*\*\* stack smashing detected)/,
  /^(?:free|malloc|realloc|munmap_chunk)\(\): /,
];

/** `    at open (file:///srv/worker.js:3:5)`: only Node writes such lines. */
const stackFrame = /^ +at (?:.* \(?)?(?:file:\/\/|node:|\/)\S*:\d+:\d+\)?(?: \{)?$/;
const errorHead = /^(?:Uncaught )?[A-Z]\w*(?: \[\w+\])?(?:: |$)/;

/** Whether a line is a warning that names no key: of the embedded engine, Node or the loader. */
export const isKeylessWarning = (line: string): boolean => keyless[0]?.test(line) === true;

/** The lines that name no key, with the first line of an error when a stack of Node follows. */
export function withoutKeys(lines: readonly string[]): string {
  const kept = lines.filter(
    (line, at) =>
      keyless.some((form) => form.test(line)) ||
      stackFrame.test(line) ||
      (errorHead.test(line) && stackFrame.test(lines[at + 1] ?? '')),
  );
  const others = lines.filter((line) => line.trim() !== '').length - kept.length;
  if (others > 0)
    kept.push(`(lines left out that may name keys, see --log-level debug: ${others})`);
  return kept.join('\n');
}

export interface Tail {
  push(chunk: Buffer): void;
  /** All bytes that are kept. */
  text(): string;
  /** The complete lines: without a first line whose beginning was dropped. */
  lines(): string[];
}

/** Keeps the last bytes of a stream. */
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
