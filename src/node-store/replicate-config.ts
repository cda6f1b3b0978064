import { MMC_INVALID_PARAM } from '../errors/engine-codes.ts';
import { MmcError } from '../native/abi/errors.ts';
import { MAX_REPLICAS } from '../native/abi/limits.ts';
import type { PutOptions } from '../native/abi/types.ts';

/** The placement of an object's replicas; a plain object with these members is accepted too. */
export class ReplicateConfig {
  /** 0…8; 0 counts as 1. */
  replicaNum = 1;
  /** Services that must hold one replica each: unique, at most `replicaNum`. There is no fallback. */
  preferredLocalServiceIDs: readonly number[] = [];

  constructor(values: Partial<ReplicateConfig> = {}) {
    Object.assign(this, values);
  }
}

/** @throws MmcError MMC_INVALID_PARAM if the engine's struct cannot express it. */
export function toPutOptions(config: Partial<ReplicateConfig>, operation: string): PutOptions {
  const { replicaNum, preferredLocalServiceIDs } = new ReplicateConfig(config);
  const refuse = (detail: string): never => {
    throw new MmcError(MMC_INVALID_PARAM, operation, detail);
  };
  if (!Number.isInteger(replicaNum) || replicaNum < 0 || replicaNum > MAX_REPLICAS) {
    refuse(`replicaNum must be 0 to ${MAX_REPLICAS}`);
  }
  const replicas = replicaNum === 0 ? 1 : replicaNum;
  if (preferredLocalServiceIDs.length > replicas) {
    refuse('there may be at most as many preferredLocalServiceIDs as replicas');
  }
  if (!preferredLocalServiceIDs.every((id) => Number.isInteger(id) && id >= 0 && id < 2 ** 31)) {
    refuse('preferredLocalServiceIDs must be whole numbers from 0');
  }
  if (new Set(preferredLocalServiceIDs).size !== preferredLocalServiceIDs.length) {
    refuse('preferredLocalServiceIDs must be unique');
  }
  return { replicas, prefer: preferredLocalServiceIDs };
}
