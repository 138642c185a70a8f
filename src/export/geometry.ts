import type { Classifier } from './classifier.ts';

/** What is cut out of a scaled photo. */
export interface PhotoGeometry {
  /** `[height, width]` that a photo is scaled to cover, and whose centre is cut out. */
  cover: readonly [number, number];
  /** `[height, width, channels]` of the network's input: the centre of that. */
  shape: readonly [number, number, number];
  /** Where `shape` begins in `cover`. */
  offset: readonly [number, number];
}

/** How photos become input of a classifier; null where its images are no photos. */
export function photoGeometry({
  imageShape: shape,
  packShape: [height, width] = shape,
}: Pick<Classifier, 'imageShape' | 'packShape'>): PhotoGeometry | null {
  if (shape[2] !== 1 && shape[2] !== 3) return null;
  const offset = [Math.floor((height - shape[0]) / 2), Math.floor((width - shape[1]) / 2)] as const;
  return { cover: [height, width], shape, offset };
}
