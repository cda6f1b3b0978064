/** The text of embedded-engine/abi/mmc_codes.h. */
export function codesHeader(): string;
