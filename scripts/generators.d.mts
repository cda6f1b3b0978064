/** Versions by the name of the package. */
export const generators: Readonly<Record<string, string>>;
/** Throws an error with `isUnreachable` if the registry cannot be reached. */
export function generatorsFolder(): string;
