/** deploy/compose.yaml. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { root } from '../process/packed.ts';

interface Compose {
  readonly services: {
    readonly gateway: {
      readonly command: readonly string[];
      readonly environment: Readonly<Record<string, string>>;
      readonly ports: readonly string[];
      readonly shm_size: string;
      readonly mem_limit: string;
      readonly read_only: boolean;
      readonly cap_drop: readonly string[];
      readonly stop_grace_period: string;
      readonly healthcheck: { readonly test: readonly string[] };
    };
  };
}

export const { gateway: composed } = (
  parse(readFileSync(path.join(root, 'deploy/compose.yaml'), 'utf8')) as Compose
).services;

/** The variables of the service, as a list. */
export const composedEnvironment = Object.entries(composed.environment).map(([name, value]) => ({
  name,
  value,
}));
