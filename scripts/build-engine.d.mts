interface BuildOptions {
  readonly fixtures?: boolean;
  readonly bench?: boolean;
  readonly tests?: boolean;
}

/** Builds what is not up to date; returns the path of the engine, and what was compiled. */
export function buildEngine(options?: BuildOptions): Promise<{ engine: string; built: string[] }>;
