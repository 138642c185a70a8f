import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import bcl from '../../plugins/bcl/index.ts';
import checkpoint from '../../plugins/checkpoint/index.ts';
import ema from '../../plugins/ema/index.ts';
import logitAdjustment from '../../plugins/logit-adjustment/index.ts';
import mixup from '../../plugins/mixup/index.ts';
import proco, { bessel, concentrations, contrastLogits, updatedMeans } from '../../plugins/proco/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { compose } from '../../src/compose/compose.ts';
import { tf } from '../../src/tf.ts';
import { checkpointPath, readCheckpoint } from '../../src/tracking/checkpoint.ts';
import { describeNative, relativeDistance } from '../step/captured-support.ts';
import { uniform } from '../support/info.ts';
import { messageOfError } from '../support/message.ts';
import { infoWithCounts, warningsOf } from '../support/plugins.ts';
import { smallRun } from '../support/small-run.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { describeTwoStage } from '../support/two-stage.ts';

beforeAll(async () => void (await loadBackend()));

describeTwoStage('proco');

interface Case {
  order: number;
  x: number;
  log: number;
  ratio: number;
}
const { cases }: { cases: Case[] } = JSON.parse(
  readFileSync(new URL('../reference/bessel.json', import.meta.url), 'utf8'),
);

describe('Bessel functions are SciPy’s', () => {
  test.each([...new Set(cases.map(({ order }) => order))])('of order %d', (order) => {
    const own = cases.filter((one) => one.order === order);
    const found = bessel(order, tf.tensor1d(own.map(({ x }) => x)));
    const [log, ratio] = [found.log.dataSync(), found.ratio.dataSync()];
    own.forEach((one, i) => {
      expect(Math.abs(log[i]! - one.log), `log at ${one.x}`).toBeLessThan(1e-5 * Math.max(1, Math.abs(one.log)));
      expect(Math.abs(ratio[i]! / one.ratio - 1), `ratio at ${one.x}`).toBeLessThan(1e-4);
      expect(ratio[i]).toBeLessThanOrEqual(1);
    });
  });
});

describe('the distribution of a class', () => {
  const rows = (n: number, d: number, key: string) => {
    const x = tf.tensor2d(uniform(n * d, key), [n, d]);
    return x.div(x.square().sum(1, true).sqrt()) as tf.Tensor2D;
  };

  test('means of features as one would take them at once, however they came', () => {
    const z = rows(9, 4, 'z');
    const labels = tf.tensor1d([0, 1, 1, 0, 2, 2, 2, 0, 1], 'int32');
    const start = { mean: rows(4, 4, 'start'), count: tf.zeros([4]) };
    const first = updatedMeans(start, z.slice([0, 0], [4, 4]), labels.slice(0, 4));
    const { mean, count } = updatedMeans(first, z.slice([4, 0], [5, 4]), labels.slice(4, 5));
    expect([...count.dataSync()]).toEqual([3, 3, 3, 0]);
    const own = tf.oneHot(labels, 4).cast('float32');
    const once = tf.concat([tf.matMul(own, z, true).div(3).slice([0, 0], [3, 4]), start.mean.slice([3, 0], [1, 4])], 0);
    expect(mean.sub(once).abs().max().dataSync()[0]).toBeLessThan(1e-6);
  });

  test('concentrations end at 1e5, also of means that are as long as a feature', () => {
    const [small, large, whole] = concentrations(
      tf.tensor2d([
        [0.5, 0],
        [0.999999, 0],
        [1, 0],
      ]),
    ).dataSync();
    expect(small).toBeCloseTo((2 * 0.5) / 0.75, 5);
    expect([large, whole]).toEqual([1e5, 1e5]);
  });

  test('a narrow class is its mean: the logit is the cosine over the temperature', () => {
    const z = rows(3, 128, 'z');
    const directions = rows(2, 128, 'means');
    const logits = contrastLogits(z, directions, 0.1);
    const cosines = tf.matMul(z, directions, false, true).div(0.1);
    logits
      .sub(cosines)
      .abs()
      .dataSync()
      .forEach((off) => {
        expect(off).toBeLessThan(2e-3);
      });
  });

  test('a view opposite to its class, at the length where both cancel, has finite logits and gradients', () => {
    const means = tf.tensor2d([[0.9, 0, 0, 0]]);
    const kappa = concentrations(means).dataSync()[0]!;
    const z = tf.tensor2d([[-1, 0, 0, 0]]);
    const { value, grad } = tf.valueAndGrad((x: tf.Tensor) => contrastLogits(x, means, 1 / kappa).sum())(z);
    for (const x of [...value.dataSync(), ...grad.dataSync()]) expect(Number.isFinite(x)).toBe(true);
  });
});

const info = infoWithCounts([300, 100, 20]);

test('what is refused and warned of', async () => {
  expect(await messageOfError(() => compose([proco(), bcl()], info))).toContain('branches');
  expect(warningsOf([proco({ weight: 0 })], info)[0]).toContain('NO_EFFECT [proco]');
  const replicas = () => train([proco(small)], { train: { epochs: 1, batchSize: 8, replicas: 2, dropLast: true } });
  expect(await messageOfError(replicas)).toMatch(/proco\/(next-)?(mean|count)/);
});

const small = { hidden: 8, dimension: 4 };
const train = (
  plugins: Parameters<typeof smallRun>[0]['plugins'] & object,
  changes: Parameters<typeof smallRun>[0] = {},
) =>
  smallRun({
    model: { name: 'small-cnn', head: 'cosine' },
    train: { epochs: 3, batchSize: 8, step: 'eager', optimizer: { name: 'sgd', learningRate: 0.05 } },
    ...changes,
    plugins,
  });

test('class means go on where they were after a resume, and are no average of ema', async () => {
  const directory = await temporaryFolder();
  const plugins = () => [logitAdjustment(), proco(small), ema({ decay: 0.5 })];
  const whole = await train([...plugins(), checkpoint({ every: 1, keep: 9 })], { directory });
  expect(whole.state['proco/next-count']).toEqual([20, 10, 6, 4]);
  expect(Object.keys(whole.state)).not.toContain('ema/proco/mean');
  const resume = await readCheckpoint(checkpointPath(directory, 2));
  expect((await train(plugins(), { resume })).state).toEqual(whole.state);
});

describeNative('in a run', () => {
  test('captured is eager, with mixing too', async () => {
    const run = (step: 'eager' | 'captured') =>
      train([logitAdjustment(), mixup(), proco(small)], {
        train: { epochs: 2, batchSize: 8, step, optimizer: { name: 'sgd', learningRate: 0.05 } },
      });
    const [eager, captured] = [await run('eager'), await run('captured')];
    expect([eager.mode, captured.mode]).toEqual(['eager', 'captured']);
    expect(relativeDistance({ losses: captured.losses }, { losses: eager.losses })).toBeLessThan(1e-5);
  });
});
