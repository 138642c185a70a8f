import { displayValue, TailmixError } from '../errors.ts';

/** Nothing in a run can be fitted to images without labels. */
export const adaptsNot = (): TailmixError =>
  new TailmixError(
    '--adapt: expected a run with a plugin whose prediction can be fitted to images without labels; this one has none. Evaluate without --adapt.',
    { code: 'ADAPT', kind: 'config' },
  );

/** Several plugins fit the prediction, and none knows of the others. */
export const adaptTwice = (plugins: readonly string[]): TailmixError =>
  new TailmixError(
    `--adapt: expected one plugin whose prediction can be fitted; got ${plugins.length}: ${plugins.join(', ')}.`,
    { code: 'ADAPT', kind: 'config' },
  );

/** Classes of which there are no images in the proportions that were asked for. */
export const shiftEmpty = (shift: string, split: string): TailmixError =>
  new TailmixError(
    `--shift ${shift}: expected images of all classes that the ${split} split has, so many that each keeps one; got fewer. Take a smaller ratio, or --metrics shift, which is computed from all images.`,
    { code: 'EVALUATE_SHIFT', kind: 'config' },
  );

/** Two views of an image are the same. */
export const adaptedAlike = (): TailmixError =>
  new TailmixError(
    "--adapt: expected transforms in data.augment, by which two views of an image differ; the run has none. Give some: --set 'data.augment=[{name: pad-crop, padding: 4}, {name: flip}]'.",
    { code: 'ADAPT', kind: 'config' },
  );

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

/** A run on features that does not say which images they are of. */
export const withoutImages = (subset: string): TailmixError =>
  new TailmixError(
    `${subset}: expected the size and normalisation of the images that features were computed from; there are none, as an earlier version wrote it. Train the run again, or use tailmix evaluate, which takes it as it is.`,
    { code: 'RUN_OF_FEATURES' },
  );

/** An export of a run that was opened with rows of features: what is exported takes images. */
export const openedOnFeatures = (directory: string): TailmixError =>
  new TailmixError(
    `${directory}: expected a run that was opened with its images; it was opened with their features. Open it with \`pixels: true\`, or without \`readImages\`.`,
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

/** A run whose images are no points in the plane. */
export const notInThePlane = (run: string, shape: readonly number[], classes: number): TailmixError =>
  new TailmixError(
    `${run}: expected a run on points in the plane (images [1, 1, 2]) of two classes; got images [${shape.join(', ')}] of ${classes}. The data sets blobs, moons and circles are such (configs/toy).`,
    { code: 'FIGURE_NO_PLANE', kind: 'config' },
  );
