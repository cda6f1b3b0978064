import { MMC_INVALID_PARAM } from './codes.ts';
import { MmcError } from './errors.ts';

/** Between which kinds of memory bytes move: L is the device's, H the host's, G the pool's. */
export const MmcCopyDirect = {
  SMEMB_COPY_L2G: 0,
  SMEMB_COPY_G2L: 1,
  SMEMB_COPY_G2H: 2,
  SMEMB_COPY_H2G: 3,
} as const;

export type MmcCopyDirect = (typeof MmcCopyDirect)[keyof typeof MmcCopyDirect];

/** @throws MmcError MMC_INVALID_PARAM unless `direct` is the one that host memory allows here. */
export function checkDirect(
  direct: MmcCopyDirect,
  allowed: typeof MmcCopyDirect.SMEMB_COPY_G2H | typeof MmcCopyDirect.SMEMB_COPY_H2G,
  operation: string,
): void {
  if (direct === allowed) return;
  const ofDevice =
    direct === MmcCopyDirect.SMEMB_COPY_L2G || direct === MmcCopyDirect.SMEMB_COPY_G2L;
  const detail = ofDevice
    ? "copies with a device's memory need its address; a Buffer is always host memory"
    : 'this direction does not fit the operation';
  throw new MmcError(MMC_INVALID_PARAM, operation, detail);
}
