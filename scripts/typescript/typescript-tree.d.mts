export function compiledFile(file: string): string;
export function compileTree(): void;
