import { TailmixError } from 'tailmix';

/** Fewer features than classes: there is no frame with a direction of its own for each. */
export const tooFewFeatures = (features: number, classes: number): TailmixError =>
  new TailmixError(
    `[etf-head] expected a model with at least as many features as classes, ${classes}; got ${features}. Take a wider model.`,
    { code: 'ETF_FEATURES', kind: 'config', plugin: 'etf-head' },
  );
