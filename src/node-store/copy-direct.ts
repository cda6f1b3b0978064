import { MMC_INVALID_PARAM } from '../errors/engine-codes.ts';
import { MmcError } from '../native/abi/errors.ts';

/** Direction of a copy: L is memory of the device, H of the host, G of the pool. */
export const MmcCopyDirect = {
  SMEMB_COPY_L2G: 0,
  SMEMB_COPY_G2L: 1,
  SMEMB_COPY_G2H: 2,
  SMEMB_COPY_H2G: 3,
} as const;

export type MmcCopyDirect = (typeof MmcCopyDirect)[keyof typeof MmcCopyDirect];

/** The two directions that host memory allows. */
export type HostDirect = typeof MmcCopyDirect.SMEMB_COPY_G2H | typeof MmcCopyDirect.SMEMB_COPY_H2G;

/** @throws MmcError MMC_INVALID_PARAM unless `direct` is the one allowed for host memory. */
export function checkDirect(direct: MmcCopyDirect, allowed: HostDirect, operation: string): void {
  if (direct === allowed) return;
  const ofDevice =
    direct === MmcCopyDirect.SMEMB_COPY_L2G || direct === MmcCopyDirect.SMEMB_COPY_G2L;
  const detail = ofDevice
    ? "copies with a device's memory need its address; a Buffer is always host memory"
    : 'this direction does not fit the operation';
  throw new MmcError(MMC_INVALID_PARAM, operation, detail);
}
