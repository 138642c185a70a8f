import {
  type GradientParts,
  type Gradients,
  globalNorm,
  type NamedTensors,
  rowsOf,
  softmaxCrossEntropy,
  stopGradient,
  type tf,
} from 'tailmix';
import type { AdamState } from './adam-state.ts';
import { NAME, type ThetaOptions, thetaGradients, weightOf } from './weight-net.ts';

export const ROWS = `${NAME}/meta`;
export const LABELS = `${NAME}/labels`;

/** Length of the step, in all weights together, by which the slope of the rows' losses is measured; both ways. */
const RADIUS = 0.001;

/** Keeps a gradient of zero from dividing by zero. */
const TINY = 1e-12;

/** `w + factor·step` for the weights that there is a step of. */
const moved = (weights: NamedTensors, steps: NamedTensors, factor: tf.Tensor): NamedTensors => ({
  ...weights,
  ...Object.fromEntries(Object.entries(steps).map(([name, step]) => [name, weights[name]!.add(step.mul(factor))])),
});

/**
 * The gradient of the loss with its rows weighed by V, which is improved first by what a step with these weights does to
 * the loss of the meta rows (Shu et al. 2019, eqs. 3 to 6).
 *
 * G_j, the product of the meta loss's gradient and that of row j, is the slope of L_j in the direction of the former: it is measured, for
 * all rows at once, by two forward passes of the batch at w ± {@link RADIUS}·g/‖g‖.
 */
export const metaWeighed =
  (
    { forward, rowLosses, evaluate, differentiate }: GradientParts,
    state: AdamState,
    { learningRate: beta, weightDecay }: ThetaOptions,
  ): Gradients =>
  (weights, pass) => {
    const { images, normalizer, learningRate } = pass.inputs;
    const weighed = (theta: NamedTensors) => {
      const { perSample, figures, ...found } = differentiate(weights, (all) => {
        const evaluated = evaluate(all, pass);
        const rows = rowLosses(evaluated.outputs, pass);
        const losses = stopGradient(rows);
        const factors = stopGradient(weightOf(losses, state.of(theta)));
        return {
          ...evaluated,
          loss: rows.mul(factors).sum().div(normalizer!),
          figures: { ...evaluated.figures, [`${NAME}/weight`]: factors.mean() },
          perSample: { ...evaluated.perSample, [NAME]: losses },
        };
      });
      const { [NAME]: losses, ...others } = perSample;
      return { ...found, figures, perSample: others, losses: losses! };
    };

    const first = weighed(weights);
    const virtual = moved(weights, first.gradients, learningRate!.neg());

    const { start, size } = pass.groups![ROWS]!;
    const labels = pass.inputs[LABELS]!;
    const rows = rowsOf(images!, start, size);
    const { groups: _, ...alone } = pass;
    const ofMeta = {
      ...alone,
      inputs: { ...pass.inputs, images: rows, labels },
      atStage: (__: string, x: tf.Tensor) => x,
    };
    const meta = differentiate(virtual, (all) => {
      const outputs = forward(all, rows, ofMeta);
      const loss = softmaxCrossEntropy(outputs.logits, labels).mean();
      return { outputs, loss, penalties: {}, figures: {}, perSample: {} };
    });

    const length = globalNorm(meta.gradients).add(TINY).reciprocal().mul(RADIUS);
    const lossesAt = (factor: tf.Tensor): tf.Tensor =>
      rowLosses(forward(moved(weights, meta.gradients, factor), images!, pass), pass);
    const alignment = lossesAt(length).sub(lossesAt(length.neg())).div(length.mul(2));
    const rate = learningRate!.div(normalizer!);
    const gradients = thetaGradients(state.of(weights), { losses: first.losses, alignment, rate }, weightDecay);
    const theta = state.next(weights, gradients, beta);

    const { losses: ___, outputs, figures, ...found } = weighed({ ...weights, ...theta });
    return {
      ...found,
      figures: { ...figures, [`${NAME}/loss`]: meta.loss },
      outputs: { ...outputs, statistics: { ...outputs.statistics, ...theta } },
    };
  };
