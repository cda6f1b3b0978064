import { inspect } from 'node:util';
import type { DisabledFeatures, NodeFeatureName } from './feature-names.ts';
import { setFeature } from './node-features.ts';

/** A probe that has not finished by then has failed. */
export const PROBE_DEADLINE_MS = 5_000;

/** Throws, rejects, or never settles where the feature does not work in this Node. */
export type Probe = () => void | Promise<void>;

/** Runs a probe and records its result. Never rejects. */
export async function runProbe(
  name: NodeFeatureName,
  probe: Probe,
  disabled: DisabledFeatures = [],
): Promise<void> {
  if (disabled.includes('all') || disabled.includes(name)) {
    setFeature(name, 'disabled', 'the configuration disables it');
    return;
  }
  try {
    await withDeadline(probe);
    setFeature(name, 'on');
  } catch (error) {
    // Unlike String, inspect throws for no value.
    setFeature(name, 'failed', error instanceof Error ? error.message : inspect(error));
  }
}

async function withDeadline(probe: Probe): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`the probe did not finish within ${PROBE_DEADLINE_MS} ms`));
    }, PROBE_DEADLINE_MS);
  });
  try {
    await Promise.race([probe(), late]);
  } finally {
    clearTimeout(timer);
  }
}
