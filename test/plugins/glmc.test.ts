import { expect, test } from 'vitest';
import { branchWeight } from '../../plugins/bbn/index.ts';
import experts from '../../plugins/experts/index.ts';
import glmc from '../../plugins/glmc/index.ts';
import labelSmoothing from '../../plugins/label-smoothing/index.ts';
import mixup from '../../plugins/mixup/index.ts';
import remix from '../../plugins/remix/index.ts';
import { compose } from '../../src/compose/compose.ts';
import type { TrainOptions } from '../../src/train/options.ts';
import { describeNative, relativeDistance } from '../step/captured-support.ts';
import { messageOfError } from '../support/message.ts';
import { at, CIFAR10_LT_100, drawnWeights, infoWithCounts, mixBatch, warningsOf } from '../support/plugins.ts';
import { smallRun, twoEpochs } from '../support/small-run.ts';
import { describeTwoStage } from '../support/two-stage.ts';

describeTwoStage('glmc');

const info = infoWithCounts(CIFAR10_LT_100, { epochs: 8, imageShape: [8, 8, 3] });

test('partners are drawn rows, one λ mixes them, and the patch is as large as λ says', () => {
  const composition = compose([glmc()], info);
  const labels = Int32Array.from([0, 1, 2, 0, 1, 2, 9, 8, 7, 9, 8, 7]);
  for (const epoch of [1, 4, 8]) {
    const { batch, targets } = mixBatch(composition, labels, at(epoch, epoch));
    expect([...batch.pair]).toEqual([6, 7, 8]);
    expect([...targets.pairLabels]).toEqual([9, 8, 7]);
    const [lambda] = batch.lambda;
    expect([...batch.lambda]).toEqual([lambda, lambda, lambda]);
    expect([...targets.labelWeight]).toEqual([...batch.lambda]);
    const mask = batch.inputs['glmc/mask'] as Float32Array;
    const pasted = mask.filter((kept) => kept === 0).length;
    expect(mask).toHaveLength(64);
    expect(pasted).toBeLessThanOrEqual(Math.trunc(8 * Math.sqrt(1 - lambda!)) ** 2);
    const alpha = branchWeight(epoch, 8, { schedule: 'parabolic' });
    expect((batch.inputs['glmc/alpha'] as Float32Array)[0]).toBe(Math.fround(alpha));
  }
});

test('partners are drawn by inverse frequency to a power', () => {
  const weights = drawnWeights(compose([glmc({ draw: 0.5 })], info), 'glmc/partner', 1);
  expect(weights[9]! / weights[0]!).toBeCloseTo(10, 12);
  const alike = drawnWeights(compose([glmc({ draw: 0 })], info), 'glmc/partner', 1);
  expect(new Set(alike).size).toBe(1);
  expect(compose([glmc()], info).groups['glmc/patch']).toEqual({ view: true, of: 'glmc/partner', augment: null });
});

test('what is refused and warned of', async () => {
  expect(await messageOfError(() => compose([glmc(), mixup()], info))).toContain('mix');
  expect(await messageOfError(() => compose([glmc(), experts()], info))).toMatch(/head|branches/);
  expect(warningsOf([glmc({ weight: 0 })], info)).toEqual([
    'NO_EFFECT [glmc] weight is 0: the two mixtures are not compared.',
  ]);
});

describeNative('in a run', () => {
  const run = (step: TrainOptions['step'], plugins: Parameters<typeof smallRun>[0]['plugins'], replicas = 1) =>
    smallRun({
      model: { name: 'small-cnn', head: 'cosine' },
      plugins: plugins!,
      train: twoEpochs(step, replicas),
    });

  test.each([
    ['alone', () => [glmc({ dimension: 4 })], 1],
    ['with Remix and smoothing', () => [glmc({ dimension: 4 }), remix(), labelSmoothing()], 1],
    ['in two replicas', () => [glmc({ dimension: 4 })], 2],
  ])('captured is eager: %s', async (_, plugins, replicas) => {
    const [eager, captured] = [await run('eager', plugins(), replicas), await run('captured', plugins(), replicas)];
    expect([eager.mode, captured.mode]).toEqual(['eager', 'captured']);
    expect(relativeDistance({ losses: captured.losses }, { losses: eager.losses })).toBeLessThan(1e-5);
    const penalties = (of: typeof eager) => of.results.map((result) => result.penalties.glmc!);
    expect(relativeDistance({ p: penalties(captured) }, { p: penalties(eager) })).toBeLessThan(1e-5);
  });

  test('a label rule changes the loss of both classifiers, and no penalty', async () => {
    const first = async (plugins: Parameters<typeof run>[1]) => (await run('eager', plugins)).results[0]!;
    const [plain, ruled] = [
      await first([glmc({ dimension: 4 })]),
      await first([glmc({ dimension: 4 }), remix({ kappa: 1.1, tau: 0.99 })]),
    ];
    expect(ruled.loss).not.toBe(plain.loss);
    expect(ruled.penalties).toEqual(plain.penalties);
  });
});
