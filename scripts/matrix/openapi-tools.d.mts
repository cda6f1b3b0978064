/** Versions by the name of the package. */
export const openApiTools: Readonly<Record<string, string>>;
/** Throws an error with `isUnreachable` if the registry cannot be reached. */
export function openApiToolsFolder(): string;
