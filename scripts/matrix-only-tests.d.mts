export const matrixOnlyTests: Readonly<Record<string, readonly string[]>>;
export function isMatrixOnly(file: string): boolean;
export function missingTests(): string[];
