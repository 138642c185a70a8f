import type { Random } from './random.ts';

/** What a network gives of images beyond its logits, `outputs.extras` by name: `[N × …]` each, image after image. */
export type ExtraRows = Readonly<Record<string, Float32Array>>;

/** What a network gives of two views of the same images. */
export type TwoViews = readonly [ExtraRows, ExtraRows];

/** How a plugin fits its prediction to images of which it does not know the labels. */
export interface Adaptation {
  /** Names of `outputs.extras` that it predicts from. */
  extras: readonly string[];
  /**
   * Fits it to views of the N images. May be asynchronous.
   *
   * @param views - gives two views of all images, each augmented by `data.augment` with random numbers of its own and of the round, 1, 2, …
   * @param count - N
   * @param random - the plugin's own stream for it
   */
  fit(views: (round: number) => Promise<TwoViews>, count: number, random: Random): Promise<Adapted> | Adapted;
}

/** A prediction that was fitted. */
export interface Adapted {
  /** What was fitted, to be shown: finite numbers by name. */
  figures: Readonly<Record<string, number>>;
  /** What the user should know of it, a sentence each. */
  warnings?: readonly string[];
  /** Logits of images, in the place of the network's: finite numbers, `[rows × C]`. */
  logits(extras: ExtraRows): Float32Array;
}
