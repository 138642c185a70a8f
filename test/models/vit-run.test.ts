import { expect, test } from 'vitest';
import { defaults, registry } from '../../plugins/index.ts';
import ldam from '../../plugins/ldam/index.ts';
import manifoldMixup from '../../plugins/manifold-mixup/index.ts';
import { softmaxCrossEntropy } from '../../src/backend/kernels/index.ts';
import { hasCustomOps } from '../../src/backend/native.ts';
import { resolveConfig } from '../../src/config/resolve.ts';
import { dropUnused, mergeEqual } from '../../src/graph/prune.ts';
import { DT, type OpNode } from '../../src/graph/recording.ts';
import { createShapeInference } from '../../src/graph/shapes.ts';
import { trace } from '../../src/graph/trace.ts';
import type { GraphFunction } from '../../src/graph/types.ts';
import { createModel, modelOptions } from '../../src/models/index.ts';
import type { Pass } from '../../src/models/types.ts';
import { randomStream } from '../../src/random.ts';
import { toBfloat16 } from '../../src/step/captured/bf16.ts';
import { createCapturedEngine } from '../../src/step/captured/engine.ts';
import { tf } from '../../src/tf.ts';
import { createTrainer } from '../../src/train/trainer.ts';
import { describeNative, programOf, signature } from '../step/captured-support.ts';
import { squares } from '../support/squares.ts';

const weights = 'test/models/published/vit-tiny.safetensors';

describeNative('a Vision Transformer in a run', (use) => {
  test('captured as eager: from a file, mixed between blocks, with a cosine head and a frozen beginning', async () => {
    const run = async (step: 'captured' | 'eager') =>
      createTrainer({
        data: squares([12, 6, 4, 2], 32),
        backend: 'native',
        model: { name: 'vit-tiny-16', width: 24, depth: 2, weights, head: 'cosine', freeze: ['embed', 'block1/norm1'] },
        plugins: [manifoldMixup({ stages: ['block1'] }), ldam({})],
        train: { epochs: 2, batchSize: 8, step },
      }).run();
    const [captured, eager] = [await run('captured'), await run('eager')];
    const losses = (of: typeof captured) => of.epochs.map(({ train }) => train.loss);
    losses(captured).forEach((loss, i) => void expect(loss! / losses(eager)[i]!).toBeCloseTo(1, 4));
    expect(losses(captured)[1]).toBeLessThan(losses(captured)[0]!);
    const { state } = captured.snapshot!;
    for (const name of ['embed/position', 'block1/norm1/scale', 'block2/mlp/expand/kernel']) {
      const [one, other] = [state[name]!.values, eager.snapshot!.state[name]!.values];
      expect(Math.max(...one.map((value, i) => Math.abs(value - other[i]!)))).toBeLessThan(1e-4);
    }
  });

  test('in bfloat16: products of tokens, not those of the classifier; weights follow float32', () => {
    const side = 32;
    const model = createModel(modelOptions.parse({ name: 'vit-tiny-16', width: 24, depth: 1 }), {
      classes: 5,
      imageShape: [side, side, 3],
    });
    const names = model.weights.map(({ name }) => name);
    const pass: Pass = { training: true, inputs: {}, variants: {}, atStage: (_, x) => x };
    const step: GraphFunction = (state, { images, labels }) => {
      const { value, grads } = tf.valueAndGrads((...trained: tf.Tensor[]) => {
        const given = Object.fromEntries(names.map((name, i) => [name, trained[i]!]));
        const { logits } = model.forward(given, images!.div(255), pass);
        return softmaxCrossEntropy(logits, labels!).mean<tf.Scalar>();
      })(names.map((name) => state[name]!));
      const next = names.map((name, i) => [name, state[name]!.sub(grads[i]!.mul(0.1))]);
      return { state: Object.fromEntries(next), outputs: { loss: value } };
    };
    const inputs = { images: [[4, side, side, 3], 'uint8'], labels: [[4], 'int32'] } as const;
    const state = model.weights.map(({ name, shape, initial }) => [
      name,
      {
        shape,
        values: initial(randomStream(0, 'init', name)).map((value) => value * (name.endsWith('/kernel') ? 5 : 1)),
      },
    ]);
    const program = programOf(step, inputs, Object.fromEntries(state));
    const call = signature('step', inputs);
    const shapes = createShapeInference(use().binding!);
    const recording = mergeEqual(dropUnused(trace(step, call, { shapes, state: program.state })));
    const { nodes } = toBfloat16(recording, () => true);
    const ops = (name: string) => nodes.filter((node): node is OpNode => node.kind === 'op' && node.op === name);
    const types = ops('BatchMatMulV2').map(({ attributes }) => attributes.T!.value);
    // Forward one, backward two: of the classifier, and of four dense layers, two of the MLP and two products in attention.
    expect(types.filter((type) => type === DT.float32)).toHaveLength(3);
    expect(types.filter((type) => type === DT.bfloat16)).toHaveLength(3 * 8);
    // What softmax gives is kept for its gradient as the product of attention takes it, and in no second form.
    const [softmax] = ops('Softmax').map((node) => nodes.indexOf(node));
    const users = nodes.filter((node) => node.kind === 'op' && node.inputs.some((from) => from.node === softmax));
    if (hasCustomOps()) {
      expect(ops('TailmixSoftmaxGrad').map(({ attributes }) => attributes.T!.value)).toEqual([DT.bfloat16]);
      expect(users.map((node) => node.kind === 'op' && node.op)).toEqual(['Cast']);
    }
    const engines = (['fp32', 'bf16'] as const).map((precision) => createCapturedEngine(program, use(), { precision }));
    const batch = {
      images: Uint8Array.from({ length: 4 * side * side * 3 }, (_, i) => (i * i + 31 * i) % 256),
      labels: Int32Array.of(0, 1, 2, 3),
    };
    const losses = engines.map((engine) => Array.from({ length: 5 }, () => engine.run(call, batch).loss![0]!));
    expect(losses[1]![0]).not.toBe(losses[0]![0]);
    expect(losses[0]![4]).toBeLessThan(losses[0]![0]!);
    losses[0]!.forEach((loss, i) => void expect(Math.abs(losses[1]![i]! / loss - 1)).toBeLessThan(0.02));
    for (const engine of engines) engine.dispose();
  });
});

test('a config records what the file decides', async () => {
  const file = './test/models/published/vit-registers.safetensors';
  const model = { name: 'vit-small-14', width: 24, depth: 2, weights: file };
  const { resolved } = await resolveConfig({ data: { name: 'cifar10' }, model }, { registry, defaults });
  const form = { preNorm: false, layerScale: true, registers: 4, classPosition: false };
  expect(resolved.model).toMatchObject(form);
});
