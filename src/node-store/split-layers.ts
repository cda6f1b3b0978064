/**
 * The layers of an object that was stored as one, as views of its bytes.
 * @throws RangeError when the sizes do not add up to the length of the object.
 */
export function splitLayers(whole: Buffer, sizes: readonly number[]): Buffer[] {
  const total = sizes.reduce((sum, size) => sum + size, 0);
  if (total !== whole.length) {
    throw new RangeError(`the object has ${whole.length} bytes, but options.sizes has ${total}`);
  }
  let end = 0;
  return sizes.map((size) => {
    end += size;
    return whole.subarray(end - size, end);
  });
}
