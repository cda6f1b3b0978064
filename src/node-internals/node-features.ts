/**
 * The state of each use of undocumented Node in this process. A feature starts off, and is on only
 * after its probe has passed; until then, and after a failure, the documented way is used.
 */
import { type NodeFeatureName, nodeFeatureNames } from './feature-names.ts';

export type NodeFeatureState = 'unprobed' | 'on' | 'failed' | 'disabled';

export interface NodeFeature {
  readonly name: NodeFeatureName;
  /** True only in the state `on`. */
  enabled: boolean;
  state: NodeFeatureState;
  /** Why it failed or is disabled. */
  reason: string | undefined;
}

const features = new Map(
  nodeFeatureNames.map((name): [NodeFeatureName, NodeFeature] => [
    name,
    { name, enabled: false, state: 'unprobed', reason: undefined },
  ]),
);

export function nodeFeature(name: NodeFeatureName): NodeFeature {
  const feature = features.get(name);
  if (feature === undefined) throw new Error(`no Node feature is called ${name}`);
  return feature;
}

export function nodeFeatures(): readonly NodeFeature[] {
  return [...features.values()];
}

export function setFeature(name: NodeFeatureName, state: NodeFeatureState, reason?: string): void {
  const feature = nodeFeature(name);
  feature.state = state;
  feature.reason = reason;
  feature.enabled = state === 'on';
}

/**
 * Whether a socket speaks TLS (tls.TLSSocket). The features work on plain sockets, below which is the
 * connection of the kernel; with TLS the documented way is taken, always.
 */
export const isEncrypted = (socket: object): boolean =>
  (socket as { readonly encrypted?: boolean }).encrypted === true;
