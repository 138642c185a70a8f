import type { Random } from './random.ts';

/** What a network gives of images beyond its logits, `outputs.extras` by name: `[N × …]` each, image after image. */
export type ExtraRows = Readonly<Record<string, Float32Array>>;

/** How a plugin fits its prediction to images of which it does not know the labels. */
export interface Adaptation {
  /** Names of `outputs.extras` that it predicts from. */
  extras: readonly string[];
  /**
   * Fits it to two views of the same images, each augmented by `data.augment` with random numbers of its own.
   *
   * @param views - of both views what the network gives of all N images
   * @param count - N
   * @param random - the plugin's own stream for it
   */
  fit(views: readonly [ExtraRows, ExtraRows], count: number, random: Random): Adapted;
}

/** A prediction that was fitted. */
export interface Adapted {
  /** What was fitted, to be shown: finite numbers by name. */
  figures: Readonly<Record<string, number>>;
  /** What the user should know of it, a sentence each. */
  warnings?: readonly string[];
  /** Logits `[rows × C]` of images, in the place of the network's. */
  logits(extras: ExtraRows): Float32Array;
}
