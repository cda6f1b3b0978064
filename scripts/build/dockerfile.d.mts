export interface Stage {
  readonly name: string | undefined;
  readonly workdir: string;
  readonly env: Readonly<Record<string, string>>;
  readonly user: string | undefined;
  readonly entrypoint?: readonly string[];
  readonly healthcheck?: readonly string[];
  readonly steps: readonly Step[];
}

export type Step =
  | { readonly run: string }
  | { readonly copy: readonly string[]; readonly to: string; readonly from: string | undefined };

export function readDockerfile(text: string): Stage[];

/** The names that .dockerignore does not exclude from the context. */
export function readContext(text: string): string[];
