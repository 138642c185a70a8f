/** Typed arrays behind one another, in a new one. */
export function concatenate<Kind extends Float32Array | Int32Array | Uint8Array>(
  Kind: new (length: number) => Kind,
  arrays: readonly Kind[],
): Kind {
  const all = new Kind(arrays.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const array of arrays) {
    all.set(array, at);
    at += array.length;
  }
  return all;
}
