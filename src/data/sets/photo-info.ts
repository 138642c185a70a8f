import type { ChosenSizes } from '../packed/image-size.ts';
import type { ImageInfo } from '../types.ts';

/** What is known of images of the user's own. Mean and standard deviation are ImageNet's. */
export function photoInfo(
  name: string,
  classes: readonly string[],
  { sizes, notes: own }: ChosenSizes,
  notes: readonly string[],
): ImageInfo {
  const all = [...notes, ...own];
  const statistics = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
  return { name, classes, ...sizes, ...statistics, ...(all.length > 0 && { notes: all }) };
}
