import { displayValue, TailmixError } from '../errors.ts';

/** Something that is no image. */
export const imageUnknown = (name: string, got: unknown): TailmixError =>
  new TailmixError(
    `predict: expected ${name} as a path, the bytes of an image file, or { data, width, height }; got ${displayValue(got)}.`,
    { code: 'PREDICT_IMAGE', kind: 'config' },
  );

/** Pixels that are not as many as their size says. */
export const pixelsWrong = (name: string, expected: string, got: string): TailmixError =>
  new TailmixError(`predict: expected ${name} with ${expected}; got ${got}.`, {
    code: 'PREDICT_PIXELS',
    kind: 'config',
  });

/** An option that is no whole number above 0. */
export const countWrong = (option: string, got: unknown): TailmixError =>
  new TailmixError(`predict: expected ${option} as a whole number above 0; got ${displayValue(got)}.`, {
    code: 'PREDICT_OPTION',
    kind: 'config',
  });

/** A predictor that was disposed of. */
export const predictorDisposed = (): TailmixError =>
  new TailmixError('predict: the predictor is disposed. Load another one.', { code: 'PREDICTOR_DISPOSED' });

/** What takes images, of a run that was trained on features of them. */
export const trainedOnFeatures = (directory: string): TailmixError =>
  new TailmixError(
    `${directory}: expected a run on images; this one was trained on features (data.features), and holds the classifier alone. tailmix evaluate takes it; for predict and export train with model.freeze: [backbone] in place of data.features, which gives the same classifier.`,
    { code: 'RUN_OF_FEATURES', kind: 'config' },
  );

/** `tailmix evaluate --split validation` of a run without a validation part. */
export const noValidationSplit = (directory: string): TailmixError =>
  new TailmixError(
    `${directory}: expected validation images; the run has none (data.split.validation). Evaluate on --split test.`,
    {
      code: 'EVALUATE_SPLIT',
      kind: 'config',
    },
  );
