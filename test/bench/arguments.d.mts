export interface Names {
  readonly targets: readonly string[];
  readonly rows: readonly string[];
}

export interface BenchOptions {
  readonly help: boolean;
  readonly against: string | undefined;
  readonly names: readonly string[];
  readonly seconds: number;
  readonly pairs?: number;
  readonly rounds?: number;
}

export function readArguments(args: readonly string[], names: Names): BenchOptions;
export function helpText(names: Names): string;
