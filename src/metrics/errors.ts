import { TailmixError } from '../errors.ts';
import type { GroupRule } from './types.ts';

/** A class could be in two groups. */
export const invalidGroupRule = ({ manyAbove, fewBelow }: GroupRule): TailmixError =>
  new TailmixError(
    `groups: expected fewBelow to be at most manyAbove + 1, got manyAbove ${manyAbove} and fewBelow ${fewBelow}. ` +
      'A class would be many-shot and few-shot at once; lower fewBelow.',
    { code: 'METRICS_GROUPS', kind: 'config' },
  );

/** Class names and class counts of different lengths. */
export const classCountMismatch = (classes: number, counts: number): TailmixError =>
  new TailmixError(
    `evaluation: expected a training count for each of the ${classes} classes, got ${counts} counts. ` +
      'Pass the class counts of the same data set.',
    { code: 'METRICS_CLASSES' },
  );

/** Logits that are not `[n, C]` for the labels given. */
export const logitsShape = (values: number, labels: number, classes: number): TailmixError =>
  new TailmixError(
    `evaluation: expected logits [${labels}, ${classes}] = ${labels * classes} values for ${labels} labels, ` +
      `got ${values} values. The model's head must have one output per class.`,
    { code: 'METRICS_SHAPE' },
  );

/** A label outside 0…C−1. */
export const labelOutOfRange = (label: number, image: number, classes: number): TailmixError =>
  new TailmixError(
    `evaluation: expected labels 0 to ${classes - 1}, got ${label} for image ${image}. ` +
      'Check that the test split and the training split use the same class list.',
    { code: 'METRICS_LABEL' },
  );

/** NaN or an infinity among the logits. */
export const nonFiniteLogit = (value: number, image: number, label: number, name: string): TailmixError =>
  new TailmixError(
    `evaluation: expected finite logits, got ${value} for image ${image}, class ${label} ("${name}"). ` +
      'The weights have diverged: lower the learning rate or warm it up.',
    { code: 'METRICS_NOT_FINITE' },
  );

/** A result was asked for before any image was added. */
export const nothingEvaluated = (): TailmixError =>
  new TailmixError('evaluation: expected at least one image, got none. The split is empty; check the data options.', {
    code: 'METRICS_EMPTY',
  });
