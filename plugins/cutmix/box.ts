import type { Box, Random } from 'tailmix';

/**
 * A patch of about `(1 − lambda)` of the image: sides `trunc(side·√(1 − λ))`, centre uniform over the pixels, corners
 * at centre ± side // 2, clipped to the image (Yun et al. 2019, section 3.1, eq. 3, and their code). An odd side loses a
 * pixel and a patch over the edge is cut off, so that only {@link keptShare} tells what stays of the image.
 *
 * @param lambda - share of the image to keep, in 0…1
 */
export function randomBox(height: number, width: number, lambda: number, random: Random): Box {
  const cut = Math.sqrt(1 - lambda);
  const [left, right] = span(width, Math.trunc(width * cut), random.integer(width));
  const [top, bottom] = span(height, Math.trunc(height * cut), random.integer(height));
  return { top, bottom, left, right };
}

function span(length: number, side: number, centre: number): [start: number, end: number] {
  const half = Math.floor(side / 2);
  return [Math.max(centre - half, 0), Math.min(centre + half, length)];
}

/** Share of the image's pixels outside the patch: λ once more, after rounding and clipping. */
export const keptShare = ({ top, bottom, left, right }: Box, height: number, width: number): number =>
  1 - ((bottom - top) * (right - left)) / (height * width);
