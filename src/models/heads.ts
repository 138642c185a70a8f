import type { NamedTensors } from '../tf.ts';
import { tf } from '../tf.ts';
import { type Initializer, kaimingNormal, uniform, unitColumns } from './init.ts';
import type { ModelHead, WeightSpec } from './types.ts';

/** What turns features `[batch, inputs]` into logits `[batch, classes]`. */
export interface Head {
  kind: ModelHead;
  weights: readonly WeightSpec[];
  apply(features: tf.Tensor, weights: NamedTensors): tf.Tensor;
}

/** Options of {@link classifier}. */
export interface ClassifierOptions {
  inputs: number;
  classes: number;
  head: 'linear' | 'cosine';
  /** `linear` only. */
  bias: boolean;
  /** Factor of the cosines; `cosine` only. */
  scale: number;
  /** Initial kernel of a linear head. Default: {@link kaimingNormal} of the fan-in. */
  initial?: (shape: readonly number[], fanIn: number) => Initializer;
}

/** `[D, C]`. */
export const KERNEL = 'classifier/kernel';
/** `[C]`. */
export const BIAS = 'classifier/bias';

/**
 * The classifier: `x·W + b`, or `scale·cos(x, w_c)` for each class c without bias (LDAM's normalised linear layer).
 * Kernel `[inputs, classes]`.
 */
export function classifier({ inputs, classes, head, bias, scale, initial = kaimingNormal }: ClassifierOptions): Head {
  const shape = [inputs, classes] as const;
  const spec = (name: string, kind: WeightSpec['kind'], of: readonly number[], values: Initializer): WeightSpec => ({
    name,
    shape: of,
    kind,
    initial: values,
  });
  if (head === 'cosine') {
    return {
      kind: { kind: head, scale },
      weights: [spec(KERNEL, 'kernel', shape, unitColumns(shape))],
      apply(features, weights) {
        const cosines = tf.matMul(normalised(features, 1), normalised(weights[KERNEL]!, 0));
        return scale === 1 ? cosines : cosines.mul(scale);
      },
    };
  }
  return {
    kind: { kind: head, scale: 1 },
    weights: [
      spec(KERNEL, 'kernel', shape, initial(shape, inputs)),
      ...(bias ? [spec(BIAS, 'bias', [classes], uniform([classes], inputs))] : []),
    ],
    apply(features, weights) {
      const product = tf.matMul(features, weights[KERNEL]!);
      return bias ? product.add(weights[BIAS]!) : product;
    },
  };
}

/** Scaled to length 1 along an axis; all zeros stay zeros. */
const normalised = (x: tf.Tensor, axis: 0 | 1): tf.Tensor => x.mul(x.square().sum(axis, true).maximum(1e-24).rsqrt());
