import { softmaxCrossEntropy } from '../backend/kernels/index.ts';
import type { ModelOutputs, Pass } from '../models/types.ts';
import type { NamedTensors, tf } from '../tf.ts';
import { mapValues } from '../util/map-values.ts';
import { ownedBy } from './owner.ts';
import type { Loss } from './types.ts';

/** Name under which the model's own logits are scored. */
export const LOGITS = 'logits';

/** The loss before plugins wrap it: softmax cross-entropy of the model's logits. */
export const plainLoss = (): Loss => ({
  adjustLogits: ownedBy<Loss['adjustLogits']>(null, (logits) => logits),
  termLoss: ownedBy<Loss['termLoss']>(null, (logits, labels) => softmaxCrossEntropy(logits, labels)),
  scored: { [LOGITS]: ownedBy<Loss['scored'][string]>(null, ({ logits }) => ({ logits })) },
  terms: {},
  penalties: {},
  figures: {},
  perSample: {},
});

/** What a batch costs before it is reduced, `[batch]` each; a row's labels and weights are in it. */
interface RowLosses {
  /** Of everything that is scored, and of all terms. */
  all: tf.Tensor;
  /** Of each term alone, by plugin name. */
  terms: NamedTensors;
}

/**
 * The weighted losses of the rows: `Σ_k factor_k·(weight·L(z_k, y) + pairWeight·L(z_k, y_pair))` over the scored logits z_k,
 * and the same of each term.
 */
export function rowLosses(
  { adjustLogits, termLoss, scored, terms }: Loss,
  outputs: ModelOutputs,
  pass: Pass,
): RowLosses {
  const { labels, weight, pairLabels, pairWeight } = pass.inputs;
  const weighted = (
    score: (labels: tf.Tensor) => tf.Tensor,
    own: tf.Tensor,
    pair: tf.Tensor | undefined,
  ): tf.Tensor => {
    const first = score(labels!).mul(own);
    return pairLabels && pair ? first.add(score(pairLabels).mul(pair)) : first;
  };
  const scores = Object.values(scored).map((scoredOf) => {
    const { logits, factor = 1, ...given } = scoredOf(outputs, pass);
    const weights = given.weight ? given : { weight: weight!, pairWeight };
    const rows = weighted(
      (of) => termLoss(adjustLogits(logits, of, pass), of, pass),
      weights.weight!,
      weights.pairWeight,
    );
    return factor === 1 ? rows : rows.mul(factor);
  });
  const further = mapValues(terms, (term) => weighted((of) => term(outputs, of, pass), weight!, pairWeight));
  return { all: [...scores, ...Object.values(further)].reduce((sum, rows) => sum.add(rows)), terms: further };
}

/** Losses of rows over the normalizer: `(Σ weight·L(z, y) + Σ pairWeight·L(z, y_pair)) / normalizer`. */
export const reduced = (rows: tf.Tensor, { inputs }: Pass): tf.Tensor => rows.sum().div(inputs.normalizer!);
