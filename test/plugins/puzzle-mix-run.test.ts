import { expect, test } from 'vitest';
import { z } from 'zod';
import experts from '../../plugins/experts/index.ts';
import ldam from '../../plugins/ldam/index.ts';
import puzzleMix from '../../plugins/puzzle-mix/index.ts';
import remix from '../../plugins/remix/index.ts';
import sam from '../../plugins/sam/index.ts';
import { cpuFeatures, isBfloat16Native } from '../../src/backend/cpu.ts';
import { definePlugin, Order, type Plugin } from '../../src/plugin.ts';
import { tf } from '../../src/tf.ts';
import type { TrainerOptions } from '../../src/train/trainer.ts';
import { describeNative, relativeDistance } from '../step/captured-support.ts';
import { messageOfError } from '../support/message.ts';
import { smallRun, twoEpochs } from '../support/small-run.ts';

const mixing = [puzzleMix({ lambda: 'sample', blocks: [2, 4] }), remix({ kappa: 1.5 })];

const run = (plugins: readonly Plugin[], train: TrainerOptions['train'], head?: 'cosine') =>
  smallRun({
    model: { name: 'small-cnn', width: 16, ...(head && { head }) },
    plugins,
    train: { ...twoEpochs('captured'), ...train },
  });

/** Draws FMix-like masks on the host, a declared input: the contract without a gradient. */
const striped = definePlugin({
  name: 'striped',
  options: z.strictObject({}),
  provides: ['mix'],
  variants: () => ({ mix: ['input:mask'] }),
  inputs: () => ({ mask: { shape: ['batch', 8, 8, 1], dtype: 'float32' } }),
  apply({ hooks }) {
    hooks.onBatch.tap({ name: 'striped', stage: Order.Mix }, (batch) => ({
      ...batch,
      pair: batch.pair.map((_, i) => (i % 2 === 0 ? i + 1 : i - 1)),
      lambda: batch.lambda.map((_, i) => (i % 8) / 8),
      inputs: {
        ...batch.inputs,
        // Row i keeps i of 8 lines.
        'striped/mask': Float32Array.from({ length: batch.size * 64 }, (_, at) =>
          Math.floor((at % 64) / 8) < Math.floor(at / 64) % 8 ? 1 : 0,
        ),
      },
    }));
    hooks.buildMask.tap(
      'striped',
      () =>
        (_, { inputs }) =>
          inputs['striped/mask']!,
    );
  },
});

/** Shares of the mask, the partner's pixels, and the images that the network sees, from inside the step. */
const looker = definePlugin({
  name: 'looker',
  options: z.strictObject({}),
  apply({ hooks }) {
    hooks.buildModel.tap('looker', (forward) => (weights, images, pass) => {
      const seen = pass.training ? pass.atStage('input', images) : images;
      return { ...forward(weights, images, pass), extras: { 'looker/seen': seen, 'looker/given': images } };
    });
    hooks.buildLoss.tap('looker', (loss) => ({
      ...loss,
      perSample: {
        ...loss.perSample,
        'looker/own': ({ extras }) => sameShare(extras!['looker/seen']!, extras!['looker/given']!),
      },
    }));
  },
});

/** Which share of each row's pixels is what it was, `[B]`. */
const sameShare = (seen: tf.Tensor, given: tf.Tensor): tf.Tensor =>
  seen.equal(given.slice(0, seen.shape[0])).cast('float32').min(-1).mean([1, 2]);

describeNative('in a run', () => {
  test.each([
    ['alone', [], 1, undefined],
    ['in two replicas', [], 2, undefined],
    ['with SAM and LDAM', [sam(), ldam()], 1, 'cosine'],
    ['with experts', [experts({ count: 2 })], 1, undefined],
  ] as const)('%s, under Remix: captured is eager', async (_, others, replicas, head) => {
    const plugins = [...mixing, ...others];
    const [eager, captured] = [
      await run(plugins, { step: 'eager', replicas }, head),
      await run(plugins, { step: 'captured', replicas }, head),
    ];
    expect([eager.mode, captured.mode]).toEqual(['eager', 'captured']);
    expect(relativeDistance({ losses: captured.losses }, { losses: eager.losses })).toBeLessThan(1e-5);
    expect(relativeDistance(captured.state, eager.state)).toBeLessThan(1e-4);
    // Labels are weighed by shares of masks, each of its own, which Remix has changed for some.
    const weighs = captured.results.flatMap(({ targets, batch }) =>
      [...targets.labelWeight].map((weight, i) => [weight, batch.lambda[i]!] as const),
    );
    expect(new Set(weighs.map(([, lambda]) => lambda)).size).toBeGreaterThan(4);
    expect(weighs.some(([weight, lambda]) => weight !== lambda)).toBe(true);
    expect(weighs.every(([weight, lambda]) => weight === lambda || weight === 0 || weight === 1)).toBe(true);
  });

  test.each([
    ['puzzle-mix', puzzleMix({ lambda: 'sample', blocks: [4] })],
    ['a mask of the host', striped()],
  ])('%s: lambda is the share of the pixels that the network sees', async (_, mixer) => {
    for (const step of ['eager', 'captured'] as const) {
      const { results } = await run([mixer, looker()], { step });
      for (const { batch, outputs } of results) {
        const own = outputs['looker/own'] as Float32Array;
        // A row that is its own partner is what it was, whatever its mask.
        batch.pair.forEach((j, i) => {
          if (j !== i) expect(own[i]).toBeCloseTo(batch.lambda[i]!, 2);
        });
      }
    }
  });

  test('replicas with partners of the whole batch, batch norm synced, are one batch', async () => {
    const [one, three] = [
      await run(mixing, { batchSize: 6, pairs: 'global' }),
      await run(mixing, { batchSize: 6, pairs: 'global', replicas: 3, batchNorm: 'synced' }),
    ];
    expect(three.results.map(({ batch }) => [...batch.lambda])).toEqual(
      one.results.map(({ batch }) => [...batch.lambda]),
    );
    expect(relativeDistance({ losses: three.losses }, { losses: one.losses })).toBeLessThan(1e-4);
  });

  test('a variant by masks that nobody makes is refused', async () => {
    const maskless = definePlugin({
      name: 'maskless',
      options: z.strictObject({}),
      provides: ['mix'],
      variants: () => ({ mix: ['input:mask'] }),
      apply: () => {},
    });
    for (const step of ['eager', 'captured'] as const) {
      expect(await messageOfError(() => run([maskless()], { step }))).toContain('taps hooks.buildMask');
    }
  });

  test('masks of another shape are refused, by name', async () => {
    const wrong = definePlugin({
      name: 'wrong',
      options: z.strictObject({}),
      provides: ['mix'],
      variants: () => ({ mix: ['input:mask'] }),
      apply: ({ hooks }) => void hooks.buildMask.tap('wrong', () => () => tf.ones([8, 8, 8])),
    });
    expect(await messageOfError(() => run([wrong()], { step: 'auto' }))).toMatch(/\[wrong\] buildMask: expected.*8/);
  });

  const cpu = cpuFeatures();
  test.skipIf(cpu === null || !isBfloat16Native(cpu))('bfloat16 trains about as float32', async () => {
    const [exact, half] = [await run(mixing, { precision: 'fp32' }), await run(mixing, { precision: 'bf16' })];
    expect(half.summary.precision).toBe('bf16');
    expect(relativeDistance({ losses: half.losses }, { losses: exact.losses })).toBeLessThan(0.1);
  });
});
