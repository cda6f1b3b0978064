export const longTests: Readonly<Record<string, readonly string[]>>;
export function isLong(file: string): boolean;
export function missingTests(): string[];
