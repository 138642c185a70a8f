/** The picture of test/reference/resize.py: `[height, width, 3]`. */
export function picture(height: number, width: number): Uint8Array {
  const pixels = new Uint8Array(height * width * 3);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < 3; c++, at++) {
        const mixed = Math.imul(y, 73856093) ^ Math.imul(x, 19349663) ^ Math.imul(c + 1, 83492791);
        const edge = ((x >> 3) + (y >> 2) + c) % 3 === 0 ? 255 : 0;
        pixels[at] = (x + y) % 5 === 0 ? edge : ((mixed >>> 7) & 63) + 3 * x + 2 * y + 40 * c;
      }
    }
  }
  return pixels;
}
