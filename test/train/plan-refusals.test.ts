import { describe, expect, test } from 'vitest';
import bbn from '../../plugins/bbn/index.ts';
import manifoldMixup from '../../plugins/manifold-mixup/index.ts';
import mixup from '../../plugins/mixup/index.ts';
import type { DataInput } from '../../src/data/options.ts';
import type { Plugin } from '../../src/plugin.ts';
import { planRun } from '../../src/train/plan-run.ts';
import { createTrainer, type TrainerOptions } from '../../src/train/trainer.ts';
import { messageOfError } from '../support/message.ts';

const options = (changes: Partial<TrainerOptions>): TrainerOptions => ({
  data: { name: 'digits', ratio: 100 },
  model: { name: 'mlp' },
  ...changes,
});

describe('a run without a step is refused', () => {
  const batches = { batchSize: 4096, dropLast: true };

  test('in the plan and in code, with the same words', async () => {
    const message = await messageOfError(() => planRun(options({ train: batches })));
    expect(message).toMatchInlineSnapshot(`
      "train.dropLast: expected at least one full batch in an epoch; there are 1985 training images, train.batchSize is 4096, and batches that are not full are left out: no step would run.
        Lower train.batchSize, or set train.dropLast: false."
    `);
    expect(await messageOfError(() => createTrainer(options({ train: batches })).run())).toBe(message);
    await expect(planRun(options({ train: batches }))).rejects.toMatchObject({ code: 'NO_STEPS', exitCode: 2 });
  });

  test('in any phase', async () => {
    const phases = [{ name: 'erm' }, { name: 'crt', train: batches }];
    expect(await messageOfError(() => planRun(options({ phases })))).toMatchInlineSnapshot(`
      "phases[1].train.dropLast (phase crt): expected at least one full batch in an epoch; there are 1985 training images, train.batchSize is 4096, and batches that are not full are left out: no step would run.
        Lower train.batchSize, or set train.dropLast: false."
    `);
  });

  test('a batch that is just full is a step', async () => {
    const { info } = await planRun(options({ train: { batchSize: 1985, dropLast: true } }));
    expect(info).toMatchObject({ trainCount: 1985, stepsPerEpoch: 1 });
  });
});

test('five crops of images that are packed as the model takes them are refused', async () => {
  const five = options({ evaluate: { crops: 'five' } });
  expect(await messageOfError(() => planRun(five))).toMatchInlineSnapshot(
    `"evaluate.crops: expected images that are packed larger than the model takes them, got 28 x 28: five crops are one. Raise data.packSize (or lower data.cropFraction), or leave evaluate.crops out."`,
  );
  await expect(planRun(five)).rejects.toMatchObject({ code: 'CROPS_ALIKE', exitCode: 2 });
  const larger = options({ data: { name: 'inat2018', root: '/nowhere' }, evaluate: { crops: 'five' } });
  await expect(planRun(larger)).resolves.toMatchObject({ info: { packShape: [256, 256, 3] } });
});

describe('options of the long tail that its profile does not use', () => {
  const warned = async (data: Omit<DataInput, 'name'>, name: DataInput['name'] = 'digits') => {
    const { composition } = await planRun(options({ data: { name, ...data }, model: { name: 'resnet18-cifar' } }));
    return composition.warnings.map(({ code, plugin, message }) => `${code} [${plugin}] ${message}`);
  };

  test('ratio with none', async () => {
    expect(await warned({ profile: 'none', ratio: 100 })).toEqual([
      'NO_EFFECT [data] ratio 100 has no effect: profile is none, which keeps all images. Set profile: exp, or leave out ratio.',
    ]);
    expect(await warned({ ratio: 50, root: '/nowhere' }, 'inat2018')).toEqual([
      'NO_EFFECT [data] ratio 50 has no effect: profile is by default none, which keeps all images. Set profile: exp, or leave out ratio.',
    ]);
  });

  test('mu with exp and with none', async () => {
    expect(await warned({ mu: 0.5 })).toEqual([
      'NO_EFFECT [data] mu 0.5 has no effect: profile is by default exp, and only step uses mu. Leave it out.',
    ]);
    expect(await warned({ profile: 'none', mu: 0.3 })).toEqual([
      'NO_EFFECT [data] mu 0.3 has no effect: profile is none, and only step uses mu. Leave it out.',
    ]);
  });

  test('nothing where they are used, or not written', async () => {
    for (const data of [{}, { profile: 'none' }, { ratio: 10 }, { profile: 'step', ratio: 10, mu: 0.3 }] as const) {
      expect(await warned(data)).toEqual([]);
    }
  });
});

describe('replicas', () => {
  const plan = (train: NonNullable<TrainerOptions['train']>) => planRun(options({ train }));

  test('share each batch of an epoch, as the plan says', async () => {
    const { brief, info } = await plan({ batchSize: 128, dropLast: true, replicas: 4 });
    expect(brief).toContain('200 epochs × 15 steps of 128 in 4 replicas of 32');
    expect(info.replicas).toBe(4);
    expect((await plan({ batchSize: 5, replicas: 5 })).brief).toContain('397 steps of 5 in 5 replicas of 1');
    expect((await plan({ replicas: 1 })).brief).toContain('200 epochs × 16 steps of 128\n');
  });

  test('with partners from the whole batch: said in the plan; mixing of features is refused', async () => {
    const global = { batchSize: 5, replicas: 5, pairs: 'global' } as const;
    const mixing = (plugin: Plugin, train: TrainerOptions['train'] = global) =>
      planRun(options({ train, plugins: [plugin] }));
    expect((await mixing(mixup())).brief).toContain('5 replicas of 1, partners from the whole batch');
    expect(await messageOfError(() => mixing(manifoldMixup()))).toMatchInlineSnapshot(`
      "[manifold-mixup] train.pairs: expected mixing at the input where partners are of the whole batch (global), for a replica has no features of other replicas; got mixing at "stage1".
        Use train.pairs: perReplica, or a plugin that mixes images."
    `);
    expect(await messageOfError(() => mixing(bbn()))).toMatch(/^\[bbn\] train.pairs: .* got mixing at "bbn"/);
    await mixing(manifoldMixup({ stages: ['input'] }));
    await mixing(manifoldMixup(), { pairs: 'global' });
    const phases = [{ name: 'first' }, { name: 'second', plugins: [manifoldMixup()] }];
    await expect(planRun(options({ train: global, phases }))).rejects.toMatchObject({ code: 'PAIRS_FEATURES' });
  });

  test('that cannot share a batch are refused', async () => {
    expect(await messageOfError(() => plan({ replicas: 3 }))).toMatchInlineSnapshot(`
      "train.replicas: expected a divisor of train.batchSize, which is 128; got 3.
        Change one of the two."
    `);
    expect(await messageOfError(() => plan({ batchSize: 128, replicas: 4 }))).toMatchInlineSnapshot(`
      "train.replicas: expected a divisor of the last batch of an epoch too, which has 65 images; got 4.
        Set train.dropLast: true, or change train.batchSize."
    `);
    const phases = [{ name: 'erm' }, { name: 'crt', train: { batchSize: 9, dropLast: true } }];
    expect(
      await messageOfError(() => planRun(options({ train: { replicas: 5, batchSize: 5 }, phases }))),
    ).toMatchInlineSnapshot(`
      "train.replicas: expected a divisor of train.batchSize (phase crt), which is 9; got 5.
        Change one of the two."
    `);
  });
});
