/** The options of Node under which a child process loads TypeScript. */
export const typeScriptOptions: readonly string[] = [
  '--import',
  new URL('../../../scripts/load-typescript.mjs', import.meta.url).href,
];
