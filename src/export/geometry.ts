import type { Sides } from '../data/transforms/photo.ts';
import type { Interpolation } from '../data/transforms/resample.ts';
import type { Classifier } from './classifier.ts';

/** What is cut out of a scaled photo. */
export interface PhotoGeometry {
  /** `[height, width]` that a photo is scaled to cover. */
  cover: Sides;
  interpolation: Interpolation;
  /** `[height, width, channels]` of the network's input: the centre of the scaled photo. */
  shape: readonly [number, number, number];
}

/** How photos become input of a classifier; null where its images are no photos. */
export function photoGeometry({
  imageShape: shape,
  packShape: [height, width] = shape,
  interpolation = 'bilinear',
}: Pick<Classifier, 'imageShape' | 'packShape' | 'interpolation'>): PhotoGeometry | null {
  if (shape[2] !== 1 && shape[2] !== 3) return null;
  return { cover: [height, width], interpolation, shape };
}
