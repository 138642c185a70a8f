import type { Predict } from '../../src/step/types.ts';
import type { tf } from '../../src/tf.ts';
import { describeFaults, type Fault, fail } from '../support/fault-table.ts';
import { tapping } from '../support/faulty.ts';

const predict = (change: (logits: tf.Tensor) => unknown) => () =>
  tapping(
    'buildPrediction',
    (before: Predict): unknown =>
      (...given: Parameters<Predict>) =>
        change(before(...given)),
  );

const predictions: Fault[] = [
  [
    'a number',
    () => tapping('buildPrediction', () => 3),
    'buildPrediction',
    'buildPrediction: expected a function (weights, slots, images, pass) → logits; got 3.',
  ],
  ['a function that throws', predict(fail), 'buildPrediction', 'buildPrediction: boom', 'PLUGIN_FAILED'],
  [
    'classes',
    predict((logits) => logits.argMax(1)),
    'buildPrediction',
    'buildPrediction: expected float32 [batch, C] = [20, 4]; got int32 [20].',
  ],
  [
    'logits of other rows',
    predict((logits) => logits.mean(0, true)),
    'buildPrediction',
    'buildPrediction: expected float32 [batch, C] = [20, 4]; got float32 [1, 4].',
  ],
  [
    'a Promise',
    predict(async (logits) => logits),
    'buildPrediction',
    'buildPrediction: expected float32 [batch, C] = [20, 4]; got a Promise.',
  ],
  [
    'a tensor that was disposed',
    predict((logits) => {
      const copy = logits.mul(2);
      copy.dispose();
      return copy;
    }),
    'buildPrediction',
    'buildPrediction: expected float32 [batch, C] = [20, 4]; got a tensor that was disposed.',
  ],
];

describeFaults('what a plugin makes of the prediction', predictions);
