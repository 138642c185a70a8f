import { join } from 'node:path';
import { expect, test } from 'vitest';
import ldam from '../../plugins/ldam/index.ts';
import { splitInMemory } from '../../src/data/dataset.ts';
import type { Subset } from '../../src/data/types.ts';
import { recordClassifier } from '../../src/export/classifier.ts';
import { int8Loses } from '../../src/export/errors.ts';
import { exportRun } from '../../src/export/index.ts';
import { calibrate } from '../../src/export/onnx/calibrate.ts';
import { foldBatchNorm } from '../../src/export/onnx/fold-batch-norm.ts';
import { fuseBiases } from '../../src/export/onnx/fuse-biases.ts';
import { onnxGraph } from '../../src/export/onnx/index.ts';
import type { OnnxModel, OnnxTensor } from '../../src/export/onnx/proto.ts';
import { planQuantization, quantize, roundWeights, scaleOf } from '../../src/export/onnx/quantize.ts';
import type { OnnxRuntime } from '../../src/export/onnx/runtime.ts';
import type { TrainedRun } from '../../src/trained/open.ts';
import { predictLogits } from '../../src/trained/predict.ts';
import { describeNative } from '../step/captured-support.ts';
import { messageOfError } from '../support/message.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { noiseImages, trainedRun } from './support.ts';

const tensor = (shape: readonly number[], values: readonly number[]): OnnxTensor => ({
  name: 'w',
  type: 'float32',
  shape,
  data: new Uint8Array(Float32Array.from(values).buffer),
});

test('a range leaves out the outermost 0.01% of a tensor at each end, over all batches; ends that are often met stay', async () => {
  // 100,000 values from −1 to 1 with five outliers at each end; zeros with one large value; one value alone.
  const spread = Float32Array.from({ length: 100_000 }, (_, i) =>
    i < 5 ? -100 : i < 10 ? 100 : -1 + (2 * i) / 100_000,
  );
  const zeros = Float32Array.from({ length: 100_000 }, (_, i) => (i === 7 ? 50 : i % 2));
  const found = { spread, zeros, alone: Float32Array.of(3, 3) };
  const run = async () => Object.fromEntries(Object.entries(found).map(([name, data]) => [name, { data }]));
  const runtime = { InferenceSession: { create: async () => ({ run }) }, Tensor: class {} } as unknown as OnnxRuntime;
  const model = {
    name: 'ranges',
    producer: { name: 'test', version: '1' },
    metadata: {},
    inputs: [{ name: 'images', type: 'uint8', shape: ['n', 1, 1, 1] }],
    outputs: [],
    nodes: [],
    constants: [],
  };
  const batches = async function* () {
    for (let i = 0; i < 2; i++) yield { images: new Uint8Array(1), count: 1 };
  };
  const ranges = await calibrate(model as unknown as OnnxModel, new Set(Object.keys(found)), batches, runtime);
  // A bin of 2,048 is 0.1 wide.
  expect(Math.abs(ranges.get('spread')!.min + 1)).toBeLessThan(0.1);
  expect(Math.abs(ranges.get('spread')!.max - 1)).toBeLessThan(0.1);
  expect(ranges.get('zeros')!.min).toBe(0);
  expect(Math.abs(ranges.get('zeros')!.max - 1)).toBeLessThan(0.03);
  expect(ranges.get('alone')).toEqual({ min: 3, max: 3 });
});

test('activations have a scale and a zero point that meets 0', () => {
  expect(scaleOf({ min: 0, max: 5.1 })).toEqual({ scale: Math.fround(0.02), zero: 0 });
  expect(scaleOf({ min: -1, max: 1.55 })).toEqual({ scale: Math.fround(0.01), zero: 100 });
  expect(scaleOf({ min: 2, max: 2.55 })).toEqual({ scale: Math.fround(0.01), zero: 0 });
  expect(scaleOf({ min: -2.55, max: -1 })).toEqual({ scale: Math.fround(0.01), zero: 255 });
  expect(scaleOf({ min: 0, max: 0 })).toEqual({ scale: 1, zero: 0 });
});

test('weights have a scale per output channel; a bias that would not fit raises it; a channel of zeros keeps its bias', () => {
  const rows = roundWeights(tensor([2, 3], [0.64, -0.32, 0.1, 6.4, 3.2, 0.05]), 0, Float32Array.of(1, -2), 0.5);
  expect([...rows.weights]).toEqual([64, -32, 10, 64, 32, 1]);
  expect([...rows.scales]).toEqual([0.01, 0.1].map(Math.fround));
  expect([...rows.bias!]).toEqual([200, -40]);
  const columns = roundWeights(tensor([3, 2], [0.64, 6.4, -0.32, 3.2, 0.1, 0.05]), 1, undefined, 0.5);
  expect([...columns.weights]).toEqual([64, 64, -32, 32, 10, 1]);
  expect(columns.bias).toBeNull();
  const small = roundWeights(tensor([2, 1], [1e-9, 0]), 0, Float32Array.of(3, 0.25), 0.5);
  for (const [channel, bias] of [3, 0.25].entries()) {
    expect(Math.abs(small.bias![channel]!)).toBeLessThanOrEqual(2 ** 30);
    expect((small.bias![channel]! * small.scales[channel]! * 0.5) / bias).toBeCloseTo(1, 6);
  }
});

test('what is lost beyond a bound is said', () => {
  const of = (accuracy: number, balancedAccuracy: number) => ({ accuracy, balancedAccuracy });
  expect(int8Loses(of(0.9, 0.8), of(0.895, 0.791), 0.01)).toBeNull();
  expect(int8Loses(of(0.9, 0.8), of(0.93, 0.85), 0.01)).toBeNull();
  expect(int8Loses(of(0.9, 0.8), of(0.905, 0.76), 0.01)).toMatchInlineSnapshot(`
    "export: int8 loses -0.50 points of accuracy and 4.00 of balanced accuracy on the test set, more than 1.
      Export without int8, or calibrate on more images."
  `);
});

const cases: Record<string, Parameters<typeof trainedRun>[0]> = {
  'resnet32, cosine head': { model: { name: 'resnet32', head: 'cosine' }, plugins: [ldam({})], shape: [16, 16, 3] },
  resnet50: { model: { name: 'resnet50', width: 4 }, shape: [32, 32, 3] },
  'mobilenet-v2': { model: { name: 'mobilenet-v2', width: 0.1 }, shape: [32, 32, 3] },
  'small-cnn': { model: { name: 'small-cnn' }, shape: [14, 10, 1] },
};

/** A run with images of noise, each labelled as the run itself classifies it: its accuracy is 1. */
async function runWithImages(options: Parameters<typeof trainedRun>[0]): Promise<TrainedRun> {
  const run = await trainedRun(options);
  const images = noiseImages(run.info.imageShape, 48);
  const labels = predictLogits(run, images).map((logits) => logits.indexOf(Math.max(...logits)));
  const subset = (name: 'train' | 'validation' | 'test'): Subset => {
    const split = splitInMemory(name, labels, Buffer.concat(images));
    const classCounts = Int32Array.from(run.info.classes, (_, c) => labels.filter((label) => label === c).length);
    return { split, indices: Int32Array.from(labels, (_, i) => i), hash: '', classCounts };
  };
  const data = { ...run.data, train: subset('train'), validation: subset('validation'), test: subset('test') };
  return { ...run, data };
}

/** Which op computes each tensor. */
const producersOf = ({ nodes }: OnnxModel) => new Map(nodes.map((node) => [node.outputs[0]!, node]));

describeNative('int8', (use) => {
  test.each(Object.entries(cases))(
    '%s: convolutions and products on integers, nothing between them and their ReLU',
    async (_, options) => {
      const run = await trainedRun(options);
      const fused = fuseBiases(foldBatchNorm(onnxGraph(recordClassifier(run, use()), 'uint8')));
      const plan = planQuantization(fused);
      const model = quantize(fused, plan, new Map([...plan.tensors].map((name) => [name, { min: -1, max: 3 }])));
      const producers = producersOf(model);
      const op = (name: string): string | undefined => producers.get(name)?.op;
      const weighted = model.nodes.filter((node) => ['Conv', 'Gemm', 'MatMul'].includes(node.op));
      const before = fused.nodes.filter((node) => ['Conv', 'Gemm', 'MatMul'].includes(node.op));
      expect(weighted).toHaveLength(before.length);
      for (const node of weighted) expect(new Set(node.inputs.map(op))).toEqual(new Set(['DequantizeLinear']));
      for (const node of weighted.filter((one) => one.op === 'Conv')) {
        const next = (name: string) => model.nodes.filter(({ inputs }) => inputs.includes(name));
        const [after, ...others] = next(node.outputs[0]!);
        const last = after!.op === 'QuantizeLinear' ? after! : next(after!.outputs[0]!)[0]!;
        expect([others, last.op]).toEqual([[], 'QuantizeLinear']);
      }
      const types = new Map(model.constants.map(({ name, type }) => [name, type]));
      for (const { inputs } of model.nodes.filter((node) => node.op === 'DequantizeLinear')) {
        const type = types.get(inputs[0]!) ?? types.get(inputs[2]!);
        expect(['int8', 'int32', 'uint8']).toContain(type);
      }
      expect(model.nodes.filter((node) => node.op === 'Conv' && node.inputs.length < 3)).toEqual([]);
    },
  );

  test.each(Object.entries(cases))('%s runs in onnxruntime-node and classifies as before', async (_, options) => {
    const run = await runWithImages(options);
    const folder = join(await temporaryFolder(), 'model');
    const { int8, files } = await exportRun(run, use(), { format: 'onnx', folder, int8: { calibrationImages: 32 } });
    expect(int8!.calibration).toEqual({ split: 'validation', images: 32 });
    expect(int8!.test).toMatchObject({ images: 48, float32: { accuracy: 1, balancedAccuracy: 1 } });
    expect(int8!.test.agreement).toBe(int8!.test.int8.accuracy);
    expect(int8!.test.agreement).toBeGreaterThan(0.9);
    expect(int8!.bytes.int8).toBeLessThan(int8!.bytes.float32);
    expect(files.find(({ path }) => path === 'model.onnx')!.bytes).toBe(int8!.bytes.int8);
  });

  test('without validation images training images calibrate; what cannot be is refused', async () => {
    const run = await runWithImages(cases['small-cnn']!);
    const folder = join(await temporaryFolder(), 'model');
    const without = { ...run, data: { ...run.data, validation: null } };
    const { int8 } = await exportRun(without, use(), { format: 'onnx', folder, int8: true, images: 'float32' });
    expect(int8!.calibration).toEqual({ split: 'train', images: 48 });
    const other = `${folder}-2`;
    expect(await messageOfError(() => exportRun(run, use(), { format: 'tfjs', folder: other, int8: true }))).toBe(
      'export: expected the format onnx with int8; got tfjs. Export to onnx, or leave int8 out.',
    );
    const described = await trainedRun(cases['small-cnn']!);
    expect(await messageOfError(() => exportRun(described, use(), { format: 'onnx', folder: other, int8: true }))).toBe(
      'export: expected a run that was opened with its images, which int8 is calibrated and evaluated on; it has none. Open it with `readImages: true`.',
    );
  });
});
