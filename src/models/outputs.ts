import { tf } from '../tf.ts';
import {
  describeValue,
  type Fault,
  fieldsOf,
  isThenable,
  namedFault,
  sameShape,
  shapeText,
  tensorFault,
} from '../util/fault.ts';
import type { Model } from './types.ts';

/** What decides the shapes of a model's outputs. */
export interface OutputSizes extends Pick<Model, 'featureSize'> {
  /** C. */
  classes: number;
}

/**
 * What is wrong with outputs of a forward pass: of any number of rows, since a plugin may pass more images than those
 * of the batch.
 *
 * @param weights - of the pass, statistics too
 */
export function outputsFault(
  outputs: unknown,
  weights: Readonly<Record<string, tf.Tensor>>,
  { classes, featureSize }: OutputSizes,
): Fault | null {
  const fields = fieldsOf(outputs);
  if (fields === null || isThenable(outputs)) {
    return { expected: '{ logits, features, statistics }', got: describeValue(outputs) };
  }
  const { logits, features, statistics, extras } = fields;
  const rows = logits instanceof tf.Tensor && logits.rank === 2 ? logits.shape[0]! : null;
  if (rows === null || !sameShape((logits as tf.Tensor).shape, [rows, classes])) {
    return { part: 'logits', expected: `float32 [batch, C], C = ${classes}`, got: describeValue(logits) };
  }
  return (
    tensorFault(logits, 'batch, C', [rows, classes], { part: 'logits' }) ??
    tensorFault(features, 'batch, D', [rows, featureSize], {
      part: 'features',
      cure: `The model's featureSize is ${featureSize}.`,
    }) ??
    namedFault(statistics, 'statistics', weights) ??
    (extras === undefined ? null : extrasFault(extras))
  );
}

function extrasFault(value: unknown): Fault | null {
  const extras = fieldsOf(value);
  if (extras === null || value instanceof tf.Tensor) {
    return { part: 'extras', expected: 'tensors by name, "<plugin>/<name>"', got: describeValue(value) };
  }
  for (const [name, tensor] of Object.entries(extras)) {
    const part = `extras[${JSON.stringify(name)}]`;
    if (!/^[^/]+\/./.test(name)) return { part, expected: 'a name "<plugin>/<name>"', got: JSON.stringify(name) };
    if (!(tensor instanceof tf.Tensor)) return { part, expected: 'a tensor', got: describeValue(tensor) };
  }
  return null;
}

/** What is wrong with the number of rows of a forward pass, or of what was made of it. */
export const rowsFault = ({ logits }: { logits: tf.Tensor }, rows: number): Fault | null =>
  logits.shape[0] === rows
    ? null
    : { part: 'logits', expected: `a row for each of ${rows} images`, got: shapeText(logits.shape) };
