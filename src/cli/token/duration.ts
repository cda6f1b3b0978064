/** How long a token is valid, as in `--expires 90d`. */

const units: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };
/** A longer one is more likely a mistake. */
const MAX_MS = 3650 * 86_400_000;
const accepts = 'give a whole number with m, h or d, at most 3650d: 90d';

/** Milliseconds, or a fault. */
export function readDuration(text: string): { readonly ms: number } | { readonly fault: string } {
  const [, digits, unit = ''] = /^(\d{1,9})([mhd])$/.exec(text) ?? [];
  if (digits === undefined) return { fault: `"${text}" is no duration; ${accepts}` };
  const ms = Number(digits) * (units[unit] ?? 0);
  if (ms === 0 || ms > MAX_MS) return { fault: `${text} is out of range; ${accepts}` };
  return { ms };
}
