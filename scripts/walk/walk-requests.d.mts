export interface CalledFunction {
  /** Relative to the root of the repository. */
  readonly file: string;
  readonly line: number;
  readonly name: string;
  readonly calls: number;
}

export const walks: Readonly<
  Record<string, { readonly aims: { readonly functions: number; readonly files: number } }>
>;

export function walk(name: string, times?: number): Promise<CalledFunction[]>;

export function inAll<Counted extends { file: string; offset: number; calls: number }>(
  counts: readonly (readonly Counted[])[],
): Counted[];
