import type { TransformInput } from './data/transforms/options.ts';

/** Images that a group draws from. */
export interface GroupImages {
  /** `[n]`, rows of the split, as in `batch.indices`. */
  indices: Int32Array;
  /** `[n]`, class of each. */
  labels: Int32Array;
}

/** Rows that a plugin wants in each step beside the trained ones, as many as those. */
export type RowGroup =
  | {
      /** The trained rows once more, in their order. */
      view: true;
      /** A group of the plugin's own that draws: its rows once more, in the place of the trained ones. */
      of?: string;
      /** Transforms of the view, in order; what they draw is the group's own. Default: those of the run, `data.augment`. */
      augment?: readonly TransformInput[];
    }
  | {
      view?: false;
      /** Images that are drawn from. Default: `train`. Those of `validation` are loaded with `augment` alone. */
      from?: 'train' | 'validation';
      /**
       * Chance of an image, on any positive scale: `[C]` by its class, or `[n]`, one an image of `images`. It is drawn with
       * replacement. Called each epoch (of the phase), and in rehearsals for epochs beyond the last one too. Where n = C,
       * weights are those of classes.
       */
      weights(epoch: number, images: GroupImages): Float64Array;
      /** Transforms, in order. Default: those of the run for `train`, none for `validation`. */
      augment?: readonly TransformInput[];
    };
