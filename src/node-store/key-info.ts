import type { DataInfo, Medium } from '../native/abi/types.ts';

const mediumNumbers: Readonly<Record<Medium, number>> = { HBM: 0, DRAM: 1, SSD: 2 };

/** The engine's information about an object, with the methods of the Python class. */
export class KeyInfo {
  readonly #info: DataInfo;

  constructor(info: DataInfo) {
    this.#info = info;
  }

  /** Bytes. */
  size(): number {
    return this.#info.size;
  }

  /** The service id of each replica. */
  locList(): number[] {
    return this.#info.replicas.map(({ serviceId }) => serviceId);
  }

  /** The medium of each replica: 0 HBM, 1 DRAM, 2 SSD. */
  typeList(): number[] {
    return this.#info.replicas.map(({ medium }) => mediumNumbers[medium]);
  }

  /** For console.log, which would show an object without members. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }

  toString(): string {
    const places = this.#info.replicas.map(({ serviceId, medium }) => `${serviceId}:${medium}`);
    return `KeyInfo(size=${this.size()}, replicas=[${places.join(', ')}])`;
  }
}
