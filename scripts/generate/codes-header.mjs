/** The text of embedded-engine/abi/mmc_codes.h, from the table of engine codes; run with tsx. */
import { engineCodes } from '../../src/errors/engine-codes.ts';

const head = `/*
 * The codes of the engine's calls; anything but MMC_OK is a failure.
 * Generated from src/errors/engine-codes.ts by \`npm run generate\`; edit the table, not this file.
 */
#ifndef MMC_CODES_H
#define MMC_CODES_H

enum mmc_code {
`;

const tail = `};

#endif
`;

/** Codes of the gateway are left out: no engine returns them. */
export function codesHeader() {
  const rows = engineCodes.filter(({ source }) => source !== 'gateway');
  const lines = rows.map(({ code, name, meaning }) => `  ${name} = ${code}, /* ${meaning} */\n`);
  return `${head}${lines.join('')}${tail}`;
}
