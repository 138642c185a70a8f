import { batchNorm } from '../../backend/kernels/index.ts';
import type { NamedTensors } from '../../tf.ts';
import { tf } from '../../tf.ts';
import { dropout } from '../dropout.ts';
import type { Pass } from '../types.ts';
import type { PlacedLayer } from './layers.ts';
import type { Binding } from './layers-model.ts';

/** A forward pass under way. */
export interface LayerFlow {
  weights: NamedTensors;
  pass: Pass;
  statistics: NamedTensors;
}

type Call = (inputs: tf.Tensor | tf.Tensor[], kwargs: object) => tf.Tensor;

/** A layer whose `call` is another one during a pass. */
export interface ReplacedCall {
  layer: tf.layers.Layer;
  call(flow: LayerFlow): Call;
}

/** What layers do otherwise than TensorFlow.js has it: batch norms, dropout, and stages at which features are mixed. */
export function callsFor(
  layers: readonly PlacedLayer[],
  bound: readonly Binding[],
  stages: readonly tf.layers.Layer[],
): { calls: ReplacedCall[]; random: boolean } {
  const dropouts = layers.filter(({ layer }) => isDropout(layer));
  const own = layers.flatMap(({ layer }): ReplacedCall[] => {
    const index = dropouts.findIndex((other) => other.layer === layer);
    if (index >= 0) return [{ layer, call: dropoutCall(layer as DropoutLayer, index) }];
    if (layer.getClassName() !== 'BatchNormalization') return [];
    return [{ layer, call: normCall(layer as NormLayer, bound) }];
  });
  const others = stages.filter((layer) => !own.some((replaced) => replaced.layer === layer));
  const all: ReplacedCall[] = [
    ...own,
    ...others.map((layer) => ({ layer, call: () => (layer.call as Call).bind(layer) })),
  ];
  return { calls: all.map((replaced) => atStage(replaced, stages)), random: dropouts.length > 0 };
}

/** Also a stage, where the layer is one. */
function atStage({ layer, call }: ReplacedCall, stages: readonly tf.layers.Layer[]): ReplacedCall {
  if (!stages.includes(layer)) return { layer, call };
  return {
    layer,
    call(flow) {
      const own = call(flow);
      return (inputs, kwargs) => flow.pass.atStage(layer.name, only(own(inputs, kwargs)));
    },
  };
}

const only = (tensors: tf.Tensor | tf.Tensor[]): tf.Tensor => (Array.isArray(tensors) ? tensors[0]! : tensors);

type DropoutLayer = tf.layers.Layer & { rate: number; getNoiseShape(input: tf.Tensor): number[] | undefined };

const isDropout = (layer: tf.layers.Layer): boolean => /^(Spatial)?Dropout(1D)?$/.test(layer.getClassName());

const dropoutCall =
  (layer: DropoutLayer, index: number) =>
  ({ pass }: LayerFlow): Call =>
  (inputs) => {
    const x = only(inputs);
    const noiseShape = layer.getNoiseShape(x);
    return dropout(x, pass, { rate: layer.rate, index, ...(noiseShape && { noiseShape }) });
  };

type NormLayer = tf.layers.Layer & {
  momentum: number;
  epsilon: number;
  gamma: tf.LayerVariable | null;
  beta: tf.LayerVariable | null;
  movingMean: tf.LayerVariable;
  movingVariance: tf.LayerVariable;
};

/**
 * Batch norm over all axes but the last, as TensorFlow.js computes it: the average of variances takes the biased one
 * (PyTorch's, and `batchNorm`'s, takes the unbiased one).
 */
function normCall(layer: NormLayer, bound: readonly Binding[]): (flow: LayerFlow) => Call {
  const { momentum, epsilon, gamma, beta, movingMean, movingVariance } = layer;
  const nameOf = (variable: tf.LayerVariable): string => bound.find((own) => own.variable === variable)!.spec.name;
  const [mean, variance] = [nameOf(movingMean), nameOf(movingVariance)];
  return ({ pass, statistics }) =>
    (inputs) => {
      const x = only(inputs);
      const channels = x.shape.at(-1)!;
      const training = pass.training && layer.trainable && !pass.fixed?.has(mean);
      const rows = x.rank === 4 ? x : x.reshape([x.size / channels, 1, 1, channels]);
      const running = movingVariance.read();
      const share = pass.momentum ?? 1 - momentum;
      const result = batchNorm(
        rows,
        gamma?.read() ?? tf.ones([channels]),
        beta?.read() ?? tf.zeros([channels]),
        movingMean.read(),
        running,
        { training, momentum: share, epsilon, across: pass.across },
      );
      if (training) {
        const count = x.size / channels;
        const biased = Math.max(count - 1, 1) / count;
        statistics[mean] = tf.keep(result.mean.clone());
        statistics[variance] = tf.keep(result.variance.mul(biased).add(running.mul((1 - share) * (1 - biased))));
      }
      return x.rank === 4 ? result.y : result.y.reshape(x.shape);
    };
}
