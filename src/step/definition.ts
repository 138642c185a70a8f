import { softmaxCrossEntropy } from '../backend/kernels/index.ts';
import type { Hooks } from '../hooks.ts';
import { modelGave } from '../models/errors.ts';
import { rowsFault } from '../models/outputs.ts';
import type { Model, ModelOutputs, Pass } from '../models/types.ts';
import type { NamedTensors, tf } from '../tf.ts';
import type { Fault } from '../util/fault.ts';
import { mapValues } from '../util/map-values.ts';
import { differentiate } from './differentiate.ts';
import { lossDetached, returnedWrong } from './errors.ts';
import { originOf, ownedBy } from './owner.ts';
import type { Gradients, Loss, Predict, StepDefinition, Update } from './types.ts';

/**
 * Runs the `build…` hooks over core's own functions. What comes out checks what can only be known of the whole: rows,
 * and gradients for all weights that have one.
 */
export function defineStep(
  model: Model,
  hooks: Hooks,
  optimizer: Update,
  trained: ReadonlySet<string>,
): StepDefinition {
  const forward = hooks.buildModel.call(ownedBy(null, model.forward));
  const loss = hooks.buildLoss.call({
    adjustLogits: ownedBy<Loss['adjustLogits']>(null, (logits) => logits),
    termLoss: ownedBy<Loss['termLoss']>(null, (logits, labels) => softmaxCrossEntropy(logits, labels)),
    penalties: {},
  });
  const refuse = (fn: object, fault: Fault | null): void => {
    if (fault === null) return;
    const origin = originOf(fn) ?? originOf(forward);
    throw origin ? returnedWrong(origin, fault) : modelGave(model.name, 'forward', fault);
  };
  const statistics = new Set(model.weights.filter(({ kind }) => kind === 'statistic').map(({ name }) => name));
  const check = (fn: object, outputs: ModelOutputs, { inputs }: Pass): void => {
    refuse(fn, rowsFault(outputs, inputs.labels!.shape[0]!));
    const other = Object.keys(outputs.statistics).find((name) => !statistics.has(name));
    if (other === undefined) return;
    const part = `statistics[${JSON.stringify(other)}]`;
    refuse(fn, { part, expected: 'a statistic of the model', got: 'a weight that is no statistic' });
  };

  /** Names of the gradients that core gave last; null if a plugin has not asked it. */
  let given: readonly string[] | null = null;
  const backward: Gradients = (weights, pass) => {
    const found = differentiate(weights, trained, (all) => {
      const outputs = forward(all, pass.inputs.images!, pass);
      check(forward, outputs, pass);
      return {
        outputs,
        loss: reduceLoss(loss, outputs.logits, pass),
        penalties: mapValues(loss.penalties, (penalty) => penalty(outputs, all, pass)),
      };
    });
    given = Object.keys(found.gradients);
    if (given.length === 0) {
      throw lossDetached(originOf(loss.termLoss) ?? originOf(loss.adjustLogits) ?? originOf(forward));
    }
    return found;
  };
  const gradients = hooks.buildGradients.call(ownedBy(null, backward));
  const update = hooks.buildUpdate.call({
    slots: ownedBy(null, optimizer.slots),
    apply: ownedBy(null, optimizer.apply),
  });
  const plain: Predict = (weights, _slots, images, pass) => forward(weights, images, pass).logits;
  const predict = hooks.buildPrediction.call(ownedBy(null, plain));
  return {
    forward,
    loss,
    gradients(weights, pass) {
      given = null;
      const found = gradients(weights, pass);
      check(gradients, found.outputs, pass);
      refuse(gradients, missingFault(found.gradients, given ?? [...trained]));
      return found;
    },
    update,
    predict(weights, slots, images, pass) {
      const logits = predict(weights, slots, images, pass);
      refuse(predict, rowsFault({ logits }, images.shape[0]!));
      return logits;
    },
  };
}

/** What is wrong with gradients that lack one which there is. */
function missingFault(gradients: NamedTensors, due: readonly string[]): Fault | null {
  const missing = due.find((name) => !gradients[name]);
  if (missing === undefined) return null;
  return {
    part: 'gradients',
    expected: `one for each weight that is trained, ${JSON.stringify(missing)} too`,
    got: 'none for it',
    cure: 'Pass on those that were handed in: { ...gradients, … }. model.freeze keeps weights from being trained.',
  };
}

/** `(Σ weight·L(z, y) + Σ pairWeight·L(z, y_pair)) / normalizer`. */
function reduceLoss({ adjustLogits, termLoss }: Loss, logits: tf.Tensor, pass: Pass): tf.Tensor {
  const term = (labels: tf.Tensor, weight: tf.Tensor): tf.Tensor =>
    termLoss(adjustLogits(logits, labels, pass), labels, pass).mul(weight);
  const { labels, weight, pairLabels, pairWeight, normalizer } = pass.inputs;
  const own = term(labels!, weight!);
  const all = pairLabels ? own.add(term(pairLabels, pairWeight!)) : own;
  return all.sum().div(normalizer!);
}
