/** From the oldest to the newest. */
export const typeScriptVersions: readonly string[];
/** Throws an error with `isUnreachable` if the registry cannot be reached. */
export function typeScriptCompiler(version: string): string;
