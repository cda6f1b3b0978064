export function groupFiles(
  files: readonly string[],
  importOf?: (file: string) => string,
  folder?: string,
): string[];
export function lanesOf(files: readonly string[]): { files: string[]; concurrency: number }[];
