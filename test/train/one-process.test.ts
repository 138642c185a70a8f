import { expect, test } from 'vitest';
import ema from '../../plugins/ema/index.ts';
import manifoldMixup from '../../plugins/manifold-mixup/index.ts';
import { type BackendName, loadBackend } from '../../src/backend/load.ts';
import type { TrainOptions } from '../../src/train/options.ts';
import { createTrainer } from '../../src/train/trainer.ts';
import { predictLogits } from '../../src/trained/predict.ts';
import { trainedRun } from '../export/support.ts';
import { describeNative } from '../step/captured-support.ts';
import { messageOfError } from '../support/message.ts';
import { squares, tinyModel } from '../support/squares.ts';

async function train(seed: number, step: TrainOptions['step'], backend: BackendName) {
  const { summary, epochs, snapshot } = await createTrainer({
    data: squares(),
    model: tinyModel(),
    seed,
    plugins: [manifoldMixup(), ema()],
    backend,
    train: { epochs: 3, batchSize: 8, step, optimizer: { name: 'sgd', learningRate: 0.05 } },
  }).run();
  const figures = epochs.map(({ train: trained, test: evaluated }) => [trained, evaluated]);
  return { computed: [summary.backend, summary.stepMode], figures, state: snapshot!.state };
}

async function expectAsAlone(...[step, backend]: [TrainOptions['step'], BackendName]) {
  const alone = [await train(0, step, backend), await train(1, step, backend)];
  expect(await Promise.all([train(0, step, backend), train(1, step, backend)])).toEqual(alone);
  expect(alone[0]!.figures).not.toEqual(alone[1]!.figures);
}

test('two runs at the same time come to what each comes to alone', async () => {
  await expectAsAlone('eager', 'wasm');
});

/** Logits of two trained runs, in turn, while a third is being trained. */
async function expectInTurn(step: TrainOptions['step'], backend: BackendName) {
  const runs = [
    await trainedRun({ model: { name: 'small-cnn' }, plugins: [ema()] }),
    await trainedRun({ model: { name: 'mlp', width: 8 }, shape: [6, 5, 1] }),
  ];
  const images = runs.map(({ info: { imageShape } }) =>
    [3, 4].map((at) => Uint8Array.from({ length: imageShape.reduce((a, b) => a * b) }, (_, i) => (i * i + at) % 251)),
  );
  const logits = (i: number) => predictLogits(runs[i]!, images[i]!);
  await loadBackend(backend);
  const alone = [logits(0), logits(1)];
  const trainedAlone = await train(0, step, backend);
  let isTraining = true;
  const training = train(0, step, backend).finally(() => {
    isTraining = false;
  });
  let turns = 0;
  while (isTraining) {
    expect([logits(0), logits(1)]).toEqual(alone);
    turns++;
    await new Promise(setImmediate);
  }
  expect(await training).toEqual(trainedAlone);
  expect(turns).toBeGreaterThan(15);
}

test('two trained runs predict in turn while a third is trained', async () => {
  await expectInTurn('eager', 'wasm');
});

describeNative('native', () => {
  test('two trained runs predict in turn while a third is trained', async () => {
    await expectInTurn('captured', 'native');
  });

  test.each(['captured', 'eager'] as const)('two runs at the same time, %s', async (step) => {
    await expectAsAlone(step, 'native');
  });

  test('a run on another backend, or the loading of one, is refused while a run is in progress', async () => {
    const alone = await train(0, 'captured', 'native');
    const running = train(0, 'captured', 'native');
    const refused = messageOfError(() => train(1, 'eager', 'wasm'));
    expect(await refused).toMatchInlineSnapshot(
      `"backend wasm: a run or predictor of this process computes on native, and a process computes on one backend at a time. Use native here too, wait for that run to end (or dispose that predictor), or start another process."`,
    );
    expect(await messageOfError(() => loadBackend('wasm'))).toBe(await refused);
    expect(await loadBackend('native')).toMatchObject({ name: 'native' });
    expect(await running).toEqual(alone);
    expect((await train(1, 'eager', 'wasm')).computed).toEqual(['wasm', 'eager']);
    await expect(train(1, 'captured', 'wasm')).rejects.toThrow('expected the backend "tensorflow"');
    expect(await loadBackend('native')).toMatchObject({ name: 'native' });
  });
});
