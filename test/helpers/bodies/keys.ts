import fc from 'fast-check';

/** Code points of a key: all of Unicode except control bytes and surrogates. */
const point = fc
  .oneof(
    { weight: 4, arbitrary: fc.integer({ min: 0x20, max: 0x7e }) },
    { weight: 1, arbitrary: fc.integer({ min: 0x80, max: 0x7ff }) },
    { weight: 1, arbitrary: fc.integer({ min: 0x800, max: 0xffff }) },
    { weight: 1, arbitrary: fc.integer({ min: 0x10000, max: 0x10ffff }) },
    { weight: 2, arbitrary: fc.constantFrom(...[...'./%?#&+=;:@\\"\'<> ~'].map(code)) },
  )
  .filter((value) => value < 0xd800 || value > 0xdfff)
  .map((value) => String.fromCodePoint(value));

function code(character: string): number {
  return character.codePointAt(0) as number;
}

/** Keys of 1 to 255 bytes. */
export const keys = (): fc.Arbitrary<string> =>
  fc.array(point, { minLength: 1, maxLength: 255, size: 'max' }).map((points) => {
    let key = '';
    let bytes = 0;
    for (const next of points) {
      bytes += Buffer.byteLength(next);
      if (bytes > 255) break;
      key += next;
    }
    return key;
  });

/** Returns a key of exactly `bytes` bytes that repeats `unit` as often as it fits. */
export function keyOfBytes(bytes: number, unit: string): string {
  const whole = Math.floor(bytes / Buffer.byteLength(unit));
  return unit.repeat(whole) + 'x'.repeat(bytes - whole * Buffer.byteLength(unit));
}
