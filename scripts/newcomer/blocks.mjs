/** The fenced blocks of a page of docs. */

/**
 * The blocks in the order of the page: `{ language, line, code, expected }`. `line` is that of the fence.
 * `expected` is the `text` block right after the code, the output that the page shows. Throws if a block of
 * the page `name` has no end.
 */
export function blocksOf(markdown, name) {
  const blocks = [];
  let open;
  for (const [at, text] of markdown.split('\n').entries()) {
    const fence = /^ *(```+|~~~+)\s*([^\s`]*)/.exec(text);
    if (open === undefined) {
      if (fence !== null) open = { fence: fence[1], language: fence[2], line: at + 1, lines: [] };
    } else if (fence?.[2] === '' && fence[1].startsWith(open.fence)) {
      const { language, line, lines } = open;
      blocks.push({ language, line, code: lines.map((each) => `${each}\n`).join('') });
      open = undefined;
    } else open.lines.push(text);
  }
  if (open !== undefined) throw new Error(`${name}:${open.line}: the block has no end`);
  return blocks.map((block, at) => {
    const next = blocks[at + 1];
    return { ...block, expected: next?.language === 'text' ? next.code : undefined };
  });
}

/** A pattern for the output that a page shows; `…` in it stands for any text on its line. */
export function patternOf(expected) {
  const literal = expected.trimEnd().replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${literal.replaceAll('…', '.*')}$`);
}
