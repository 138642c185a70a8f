import type { Hooks } from '../hooks.ts';
import { modelGave } from '../models/errors.ts';
import { isParameter } from '../models/kinds.ts';
import { rowsFault } from '../models/outputs.ts';
import type { Model, ModelOutputs, Pass } from '../models/types.ts';
import type { NamedTensors, tf } from '../tf.ts';
import type { Fault } from '../util/fault.ts';
import { mapValues } from '../util/map-values.ts';
import { differentiate } from './differentiate.ts';
import { extrasChanged, extrasLacking, lossDetached, masksMissing, returnedWrong } from './errors.ts';
import { plainLoss, reduced, rowLosses } from './loss.ts';
import { originOf, ownedBy } from './owner.ts';
import type {
  Evaluated,
  GradientParts,
  Gradients,
  MixMask,
  OfOutputs,
  Predict,
  StepDefinition,
  Update,
} from './types.ts';

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
  const loss = hooks.buildLoss.call(plainLoss());
  const mask = hooks.buildMask.call(
    ownedBy<MixMask>(null, () => {
      throw masksMissing();
    }),
    { forward, loss },
  );
  const refuse = (fn: object, fault: Fault | null): void => {
    if (fault === null) return;
    const origin = originOf(fn) ?? originOf(forward);
    throw origin ? returnedWrong(origin, fault) : modelGave(model.name, 'forward', fault);
  };
  const statistics = new Set(model.weights.filter((weight) => !isParameter(weight)).map(({ name }) => name));
  const check = (fn: object, outputs: ModelOutputs, { inputs }: Pass): void => {
    refuse(fn, rowsFault(outputs, inputs.labels!.shape[0]!));
    const other = Object.keys(outputs.statistics).find((name) => !statistics.has(name));
    if (other === undefined) return;
    const part = `statistics[${JSON.stringify(other)}]`;
    refuse(fn, { part, expected: 'a statistic or state of the model', got: 'a weight that is neither' });
  };

  /** Names of the gradients that core gave last; null if a plugin has not asked it. */
  let given: readonly string[] | null = null;
  const evaluate = (weights: NamedTensors, pass: Pass): Evaluated => {
    const outputs = forward(weights, pass.inputs.images!, pass);
    check(forward, outputs, pass);
    const rows = rowLosses(loss, outputs, pass);
    const give = (of: OfOutputs): tf.Tensor => of(outputs, weights, pass);
    return {
      outputs,
      loss: reduced(rows.all, pass),
      penalties: mapValues(loss.penalties, give),
      figures: { ...mapValues(rows.terms, (term) => reduced(term, pass)), ...mapValues(loss.figures, give) },
      perSample: mapValues(loss.perSample, give),
    };
  };
  const derive: GradientParts['differentiate'] = (weights, of) => {
    const found = differentiate(weights, trained, of);
    given = Object.keys(found.gradients);
    if (given.length === 0) {
      throw lossDetached(originOf(loss.termLoss) ?? originOf(loss.adjustLogits) ?? originOf(forward));
    }
    return found;
  };
  const backward: Gradients = (weights, pass) => derive(weights, (all) => evaluate(all, pass));
  const gradients = hooks.buildGradients.call(ownedBy(null, backward), {
    forward,
    loss,
    rowLosses: ownedBy<GradientParts['rowLosses']>(null, (outputs, pass) => rowLosses(loss, outputs, pass).all),
    evaluate: ownedBy(null, evaluate),
    differentiate: ownedBy(null, derive),
  });
  const update = hooks.buildUpdate.call({
    slots: ownedBy(null, optimizer.slots),
    apply: ownedBy(null, optimizer.apply),
  });
  /** What the model gave, pass by pass, since a prediction began. */
  let passes: ModelOutputs[] = [];
  const plain: Predict = (weights, _slots, images, pass) => {
    const outputs = forward(weights, images, pass);
    passes.push(outputs);
    return outputs.logits;
  };
  const predict = hooks.buildPrediction.call(ownedBy(null, plain));
  return {
    forward,
    loss,
    mask,
    gradients(weights, pass) {
      given = null;
      const found = gradients(weights, pass);
      check(gradients, found.outputs, pass);
      refuse(gradients, missingFault(found.gradients, given ?? [...trained]));
      return found;
    },
    update,
    predict(extras, weights, slots, images, pass) {
      passes = [];
      const logits = predict(weights, slots, images, pass);
      const [outputs, another] = passes;
      passes = [];
      refuse(predict, rowsFault({ logits }, images.shape[0]!));
      if (extras.length === 0) return { logits, extras: {} };
      if (another || outputs?.logits !== logits) throw extrasChanged(originOf(predict));
      const { extras: given = {} } = outputs;
      const lacking = extras.find((name) => given[name]?.shape[0] !== images.shape[0]);
      if (lacking !== undefined) throw extrasLacking(lacking, Object.keys(given));
      return { logits, extras: Object.fromEntries(extras.map((name) => [name, given[name]!])) };
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
