import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import patchMlp from '../../examples/custom-model.ts';
import { defaults, registry } from '../../plugins/index.ts';
import { loadConfig } from '../../src/config/load.ts';
import { trainerOptions } from '../../src/config/trainer-options.ts';
import type { ModelDefinition } from '../../src/models/definition.ts';
import type { Forward, Model } from '../../src/models/types.ts';
import type { tf } from '../../src/tf.ts';
import { runFiles } from '../../src/tracking/run-files.ts';
import { createTrainer, type RunResult } from '../../src/train/trainer.ts';
import { openRun } from '../../src/trained/open.ts';
import { predictLogits } from '../../src/trained/predict.ts';
import { messageOfError } from '../support/message.ts';
import { squares } from '../support/squares.ts';
import { temporaryFolder } from '../support/temporary.ts';

const path = (file: string): string => fileURLToPath(new URL(`../../examples/${file}`, import.meta.url));

test('is under 60 lines', () => {
  expect(readFileSync(path('custom-model.ts'), 'utf8').trimEnd().split('\n').length).toBeLessThan(60);
});

test.each(['eager', 'auto'] as const)('from code, step %s: learns, repeats, freezes', async (step) => {
  const train = async (options: Parameters<typeof patchMlp>[0]): Promise<RunResult> =>
    createTrainer({
      data: squares(),
      model: patchMlp({ patch: 2, width: 16, ...options }),
      train: { epochs: 6, batchSize: 16, step, optimizer: { name: 'adamw', learningRate: 0.02 } },
    }).run();
  const [first, second, none] = [await train({}), await train({}), await train({ rate: 0 })];
  expect(first.summary.last!.accuracy).toBeGreaterThan(0.6);
  expect(second.snapshot!.state).toEqual(first.snapshot!.state);
  // The mask is drawn: another one in each step, and none without dropout.
  expect(none.snapshot!.state).not.toEqual(first.snapshot!.state);
  const frozen = await train({ freeze: ['patches'] });
  const values = ({ snapshot }: RunResult, name: string) => [...snapshot!.state[name]!.values];
  const unseen = patchMlp().definition;
  expect(unseen.name).toBe('patch-mlp');
  expect(Object.keys(frozen.snapshot!.state).some((name) => name.startsWith('patches/kernel/'))).toBe(false);
  expect(values(frozen, 'patches/kernel')).not.toEqual(values(first, 'patches/kernel'));
});

test('from YAML: trained, resumed to the same end, predicted with; its file decides the hash', async () => {
  const load = (set: string[]) => loadConfig(path('custom-model.yaml'), { registry, defaults, set });
  const config = await load(['train.epochs=2', 'plugins.progress.enabled=false']);
  expect(config.resolved.model).toEqual({ name: './examples/custom-model.ts', patch: 4, width: 32, rate: 0.1 });
  expect((await load(['model.width=16'])).hash).not.toBe((await load([])).hash);
  const directory = await temporaryFolder();
  const { snapshot, summary } = await createTrainer({ ...trainerOptions(config), directory }).run();
  expect(summary.last!.accuracy).toBeGreaterThan(0.2);

  const logged = await loadConfig(join(directory, runFiles.config), { registry, defaults });
  expect(logged.hash).toBe(config.hash);
  const half = { train: { ...trainerOptions(logged).train, epochs: 1 } };
  const first = (await createTrainer({ ...trainerOptions(logged), ...half, plugins: logged.plugins }).run()).snapshot!;
  const again = await createTrainer({ ...trainerOptions(logged), resume: first }).run();
  expect(again.snapshot!.state['patches/kernel']).toEqual(snapshot!.state['patches/kernel']);

  const run = await openRun(directory, { registry, defaults });
  const [logits] = predictLogits(run, [new Uint8Array(28 * 28)]);
  expect(logits).toHaveLength(10);
});

test('what is wrong in a model names it', async () => {
  const whole = patchMlp({ patch: 2, width: 4 });
  const message = (change: (model: Model) => unknown) => {
    const create: ModelDefinition['create'] = async (options, task) =>
      change(await whole.definition.create(options, task)) as Model;
    const model = { ...whole, definition: { ...whole.definition, create } };
    return messageOfError(() => createTrainer({ data: squares(), model, train: { epochs: 1, batchSize: 16 } }).run());
  };
  const fail = (): never => {
    throw new Error('no luck');
  };
  const withLogits = (model: Model, cut: (logits: tf.Tensor) => tf.Tensor): Forward => {
    return (...args) => {
      const found = model.forward(...args);
      return { ...found, logits: cut(found.logits) };
    };
  };
  expect({
    create: await message(fail),
    nothing: await message(() => undefined),
    stages: await message(({ stages: _, ...model }) => model),
    initial: await message(({ weights: [first, ...rest], ...model }) => ({
      ...model,
      weights: [{ ...first!, initial: () => new Float32Array(3) }, ...rest],
    })),
    forward: await message((model) => ({ ...model, forward: fail })),
    rank: await message((model) => ({ ...model, forward: withLogits(model, (logits) => logits.sum(1)) })),
    classes: await message((model) => ({
      ...model,
      forward: withLogits(model, (logits) => logits.slice([0, 0], [-1, 1])),
    })),
  }).toMatchInlineSnapshot(`
    {
      "classes": "model "patch-mlp": expected its forward to give logits as float32 [batch, C], C = 4; got float32 [16, 1]. Correct the module.",
      "create": "model "patch-mlp": expected its create to give a value; it threw "no luck". Correct the module.",
      "forward": "model "patch-mlp": expected its forward to give a value; it threw "no luck". Correct the module.",
      "initial": "model "patch-mlp": expected its initial of patches/kernel to give a Float32Array of 48, each of finite size; got a Float32Array of 3. Correct the module.",
      "nothing": "model "patch-mlp": expected its create to give a model; got undefined. Correct the module.",
      "rank": "model "patch-mlp": expected its forward to give logits as float32 [batch, C], C = 4; got float32 [16]. Correct the module.",
      "stages": "model "patch-mlp": expected its create to give a model; got one without stages. Correct the module.",
    }
  `);
});
