import type { Shape } from './augment.ts';

/**
 * Cuts a window of the image's own size out of the image padded with zeros.
 *
 * @param top - first row of the window in the padded image, 0…2·padding
 * @param left - first column, 0…2·padding
 */
export function padCrop(
  source: Uint8Array,
  from: number,
  target: Uint8Array,
  to: number,
  [height, width, channels]: Shape,
  { padding, top, left }: { padding: number; top: number; left: number },
): void {
  const rowBytes = width * channels;
  const down = top - padding;
  const right = (left - padding) * channels;
  const firstRow = Math.min(height, Math.max(0, -down));
  const endRow = Math.max(firstRow, Math.min(height, height - down));
  target.fill(0, to, to + firstRow * rowBytes);
  target.fill(0, to + endRow * rowBytes, to + height * rowBytes);
  const first = to + firstRow * rowBytes;
  const end = to + endRow * rowBytes;
  if (Math.abs(right) >= rowBytes || first === end) {
    target.fill(0, first, end);
    return;
  }
  // All rows in one copy (four times as fast as row by row); what ran over into a neighbouring row is blackened.
  const read = from + (firstRow + down) * rowBytes + Math.max(0, right);
  const bytes = end - first - Math.abs(right);
  target.set(source.subarray(read, read + bytes), first + Math.max(0, -right));
  const black = right < 0 ? 0 : rowBytes - right;
  for (let row = first + black; row < end; row += rowBytes) {
    for (let i = row; i < row + Math.abs(right); i++) target[i] = 0;
  }
}

/** Mirrors left and right. */
export function mirror(
  source: Uint8Array,
  from: number,
  target: Uint8Array,
  to: number,
  [height, width, channels]: Shape,
): void {
  const rowBytes = width * channels;
  for (let y = 0; y < height; y++) {
    let read = from + (y + 1) * rowBytes - channels;
    let write = to + y * rowBytes;
    const end = write + rowBytes;
    if (channels === 3) {
      // Twice as fast as the loop over channels.
      for (; write < end; write += 3, read -= 3) {
        target[write] = source[read]!;
        target[write + 1] = source[read + 1]!;
        target[write + 2] = source[read + 2]!;
      }
    } else {
      for (; write < end; read -= channels) {
        for (let c = 0; c < channels; c++) target[write++] = source[read + c]!;
      }
    }
  }
}

/** Copies an image. */
export function copyImage(source: Uint8Array, from: number, target: Uint8Array, to: number, bytes: number): void {
  target.set(source.subarray(from, from + bytes), to);
}

/**
 * Cuts a window out of an image padded with zeros.
 *
 * @param shape - of the image
 * @param window - its size, and where its first pixel lies in the unpadded image (negative in the padding)
 */
export function cropWindow(
  source: Uint8Array,
  from: number,
  target: Uint8Array,
  to: number,
  [height, width, channels]: Shape,
  window: { top: number; left: number; height: number; width: number },
): void {
  const rowBytes = window.width * channels;
  const first = Math.max(0, -window.left);
  const end = Math.min(window.width, width - window.left);
  for (let y = 0; y < window.height; y++) {
    const at = to + y * rowBytes;
    const row = window.top + y;
    if (row < 0 || row >= height || end <= first) {
      target.fill(0, at, at + rowBytes);
      continue;
    }
    target.fill(0, at, at + first * channels);
    target.fill(0, at + end * channels, at + rowBytes);
    const read = from + (row * width + window.left + first) * channels;
    target.set(source.subarray(read, read + (end - first) * channels), at + first * channels);
  }
}

/** Where pixel (x, y) of the target comes from: (ax + by + c, dx + ey + f), measured at pixel centres. */
export type Matrix = readonly [a: number, b: number, c: number, d: number, e: number, f: number];

/** Moves pixels; each takes the one that its centre falls into, or black outside. Writes at `target[0]`. */
export function affine(
  source: Uint8Array,
  from: number,
  target: Uint8Array,
  [height, width, channels]: Shape,
  [a, b, c, d, e, f]: Matrix,
): void {
  let at = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const column = Math.floor(a * (x + 0.5) + b * (y + 0.5) + c);
      const row = Math.floor(d * (x + 0.5) + e * (y + 0.5) + f);
      const inside = column >= 0 && column < width && row >= 0 && row < height;
      const read = from + (row * width + column) * channels;
      for (let k = 0; k < channels; k++) target[at++] = inside ? source[read + k]! : 0;
    }
  }
}

/** Fills a square around a pixel, in place; what of it lies outside the image has no part. */
export function cover(
  image: Uint8Array,
  at: number,
  [height, width, channels]: Shape,
  { y, x, size, colour }: { y: number; x: number; size: number; colour: ArrayLike<number> },
): void {
  const top = y - Math.floor(size / 2);
  const left = x - Math.floor(size / 2);
  for (let row = Math.max(0, top); row < Math.min(height, top + size); row++)
    for (let column = Math.max(0, left); column < Math.min(width, left + size); column++)
      for (let c = 0; c < channels; c++) image[at + (row * width + column) * channels + c] = colour[c]!;
}
