/** The options of Node under which a child process loads TypeScript. */
export const typeScriptOptions: readonly string[] = [
  '--import',
  new URL('../../../scripts/typescript/load-typescript.mjs', import.meta.url).href,
];
