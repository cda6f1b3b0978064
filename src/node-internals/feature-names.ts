/** Each use of a part of Node that is not documented; docs/decisions/0011 lists them. */
export const nodeFeatureNames = [
  'direct-read',
  'body-tap',
  'one-write',
  'socket-descriptor',
  'write-queue',
  'half-open',
  'connection-checks',
  'linger-close',
  'parser-removal',
  'parser-pause',
  'bare-handles',
  'listener-descriptor',
] as const;

export type NodeFeatureName = (typeof nodeFeatureNames)[number];

/** `all`, or the names of features (`featureNameFault` has checked them). */
export type DisabledFeatures = readonly string[];

/** The fault of one word of a list of features; undefined when it names a feature, or all. */
export function featureNameFault(word: string): string | undefined {
  const names: readonly string[] = ['all', ...nodeFeatureNames];
  return names.includes(word)
    ? undefined
    : `"${word}" is not known; give all, or some of ${nodeFeatureNames.join(', ')}`;
}
