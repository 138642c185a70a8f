import { TailmixError } from 'tailmix';

const name = 'reweight';

/** `custom` does not fit the data set. */
export const customWeightCount = (classes: number, weights: number): TailmixError =>
  new TailmixError(
    `reweight.custom: expected ${classes} weights, one per class; got ${weights}. List them in label order.`,
    { code: 'CLASS_WEIGHTS', kind: 'config', plugin: name },
  );
