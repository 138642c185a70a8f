import { beforeAll, expect, test } from 'vitest';
import bbn from '../../plugins/bbn/index.ts';
import mixup from '../../plugins/mixup/index.ts';
import ncl, { hardClasses, mutualDivergence } from '../../plugins/ncl/index.ts';
import remix from '../../plugins/remix/index.ts';
import reweight from '../../plugins/reweight/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { compose } from '../../src/compose/compose.ts';
import { tf } from '../../src/tf.ts';
import type { TrainOptions } from '../../src/train/options.ts';
import { describeNative, relativeDistance } from '../step/captured-support.ts';
import { messageOfError } from '../support/message.ts';
import { infoWithCounts, warningsOf } from '../support/plugins.ts';
import { smallRun, twoEpochs } from '../support/small-run.ts';
import { describeTwoStage } from '../support/two-stage.ts';

beforeAll(async () => void (await loadBackend()));

describeTwoStage('ncl');

test('hard classes are the likeliest ones, and the own class even if it is the last', async () => {
  const logits = tf.tensor2d([
    [4, 3, 2, 1],
    [4, 3, 2, 1],
  ]);
  const mask = hardClasses(logits, tf.tensor1d([3, 1], 'int32'), 2);
  expect(await mask.array()).toEqual([
    [1, 0, 0, 1],
    [1, 1, 0, 0],
  ]);
  expect(await hardClasses(logits, tf.tensor1d([0, 1], 'int32'), 4).array()).toEqual([
    Array(4).fill(1),
    Array(4).fill(1),
  ]);
});

test('networks that agree do not diverge; others do, whichever comes first', () => {
  const [a, b] = [tf.tensor2d([[1, 2, 3]]), tf.tensor2d([[3, 0, 1]])];
  expect(mutualDivergence([a, a]).dataSync()[0]).toBeCloseTo(0, 6);
  const [ab, ba] = [mutualDivergence([a, b]), mutualDivergence([b, a])].map((x) => x.dataSync()[0]!);
  expect(ab).toBeGreaterThan(1);
  expect(ab).toBeCloseTo(ba!, 5);
});

const info = infoWithCounts([300, 100, 20]);

test('what is refused and warned of', async () => {
  expect(await messageOfError(() => compose([ncl(), bbn()], info))).toMatch(/head|branches/);
  expect(warningsOf([ncl({ mutual: 0 })], info)).toEqual([
    'NO_EFFECT [ncl] mutual is 0: the networks do not learn from each other.',
  ]);
  expect(warningsOf([ncl(), reweight()], info)[0]).toContain('class prior');
});

describeNative('in a run', () => {
  test('captured is eager, with mixing and a label rule, in replicas too', async () => {
    const run = (step: TrainOptions['step'], replicas: number) =>
      smallRun({
        model: { name: 'small-cnn', width: 4 },
        plugins: [ncl({ count: 2 }), mixup(), remix()],
        train: twoEpochs(step, replicas),
      });
    for (const replicas of [1, 2]) {
      const [eager, captured] = [await run('eager', replicas), await run('captured', replicas)];
      expect([eager.mode, captured.mode]).toEqual(['eager', 'captured']);
      expect(relativeDistance({ losses: captured.losses }, { losses: eager.losses })).toBeLessThan(1e-5);
    }
  });
});
