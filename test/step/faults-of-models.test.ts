import type { Forward, ModelOutputs } from '../../src/models/types.ts';
import { tf } from '../../src/tf.ts';
import { describeFaults, type Fault, fail } from '../support/fault-table.ts';
import { tapping } from '../support/faulty.ts';

const outputs = (change: (outputs: ModelOutputs, weights: Record<string, tf.Tensor>) => unknown) => () =>
  tapping(
    'buildModel',
    (forward: Forward): unknown =>
      (...given: Parameters<Forward>) =>
        change(forward(...given), given[0]),
  );

const model: Fault[] = [
  [
    'a number',
    () => tapping('buildModel', () => 3),
    'buildModel',
    'buildModel: expected a function (weights, images, pass) → outputs; got 3.',
  ],
  [
    'null',
    () => tapping('buildModel', () => null),
    'buildModel',
    'buildModel: expected a function (weights, images, pass) → outputs; got null.',
  ],
  ['a function that throws', outputs(fail), 'buildModel', 'buildModel: boom', 'PLUGIN_FAILED'],
  [
    'nothing as outputs',
    outputs(() => undefined),
    'buildModel',
    'buildModel: expected { logits, features, statistics }; got undefined.',
  ],
  [
    'a Promise of outputs',
    outputs(async (found) => found),
    'buildModel',
    'buildModel: expected { logits, features, statistics }; got a Promise.',
  ],
  [
    'logits of another width',
    outputs((found) => ({ ...found, logits: found.logits.slice([0, 0], [-1, 3]) })),
    'buildModel',
    'buildModel: logits: expected float32 [batch, C], C = 4; got float32 [8, 3].',
  ],
  [
    'logits of fewer rows',
    outputs(({ logits, features, statistics }) => ({
      logits: logits.slice([0, 0], [2, -1]),
      features: features.slice([0, 0], [2, -1]),
      statistics,
    })),
    'buildModel',
    'buildModel: logits: expected a row for each of 8 images; got [2, 4].',
  ],
  [
    'features of another rank',
    outputs((found) => ({ ...found, features: found.features.sum() })),
    'buildModel',
    "buildModel: features: expected float32 [batch, D] = [8, 8]; got a float32 scalar. The model's featureSize is 8.",
  ],
  [
    'logits that are not numbers of float32',
    outputs((found) => ({ ...found, logits: found.logits.toInt() })),
    'buildModel',
    'buildModel: logits: expected float32 [batch, C] = [8, 4]; got int32 [8, 4].',
  ],
  [
    'no statistics',
    outputs(({ logits, features }) => ({ logits, features })),
    'buildModel',
    'buildModel: statistics: expected tensors by name; got undefined.',
  ],
  [
    'a statistic of another shape',
    outputs((found) => ({ ...found, statistics: { 'hidden/mean': tf.zeros([3]) } })),
    'buildModel',
    'buildModel: statistics["hidden/mean"]: expected float32 [8], as before; got float32 [3].',
  ],
  [
    'a statistic that is a number',
    outputs((found) => ({ ...found, statistics: { 'hidden/mean': 0 } })),
    'buildModel',
    'buildModel: statistics["hidden/mean"]: expected float32 [8], as before; got 0.',
  ],
  [
    'a statistic of an unknown name',
    outputs((found) => ({ ...found, statistics: { 'hidden/maen': tf.zeros([8]) } })),
    'buildModel',
    'buildModel: statistics["hidden/maen"]: expected a known name, perhaps "hidden/mean"; got a new one.',
  ],
  [
    'a statistic that is a weight',
    outputs((found, weights) => ({ ...found, statistics: { 'classifier/bias': weights['classifier/bias']! } })),
    'buildModel',
    'buildModel: statistics["classifier/bias"]: expected a statistic or state of the model; got a weight that is neither.',
  ],
  [
    'an unknown weight',
    outputs((found, weights) => ({ ...found, logits: found.logits.add(weights['classifier/bais']!.mul(2)) })),
    'buildModel',
    `buildModel: Cannot read properties of undefined (reading 'mul')
  It read the weight "classifier/bais", which does not exist: perhaps "classifier/bias".`,
    'PLUGIN_FAILED',
  ],
  [
    'the gradient of an unknown weight',
    outputs((found, weights) => {
      tf.grad((kernel) => kernel.sum())(weights['classifier/kernal']!);
      return found;
    }),
    'buildModel',
    `buildModel: Argument 'x' passed to 'tf.grad' must be a Tensor or TensorLike, but got 'null'
  It read the weight "classifier/kernal", which does not exist: perhaps "classifier/kernel".`,
    'PLUGIN_FAILED',
  ],
  [
    'twice the rows, which core would cut',
    () =>
      tapping(
        'buildModel',
        (forward: Forward): unknown =>
          (...[weights, images, pass]: Parameters<Forward>) =>
            pass.training ? forward(weights, tf.concat([images, images]), pass) : forward(weights, images, pass),
      ),
    'buildModel',
    'buildModel: pass.atStage("input"): expected features of the 8 rows of the batch; got 16 rows. Core mixes and cuts the rows of the batch alone: for others, pass { ...pass, atStage: (_, features) => features }.',
    'STEP_ROWS',
  ],
];

describeFaults('what a plugin makes of the model', model);
