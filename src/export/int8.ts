import process from 'node:process';
import { createLoader } from '../data/loader/loader.ts';
import type { Subset } from '../data/types.ts';
import { createEvaluator } from '../metrics/evaluator.ts';
import type { Evaluation } from '../metrics/types.ts';
import { inOrder } from '../train/evaluate.ts';
import type { Network } from '../trained/network.ts';
import type { TrainedRun } from '../trained/open.ts';
import { rowsOf } from '../trained/predict.ts';
import { splitOf } from '../trained/split.ts';
import { evenly } from '../util/evenly.ts';
import type { Classifier } from './classifier.ts';
import { int8Loses, int8NeedsImages } from './errors.ts';
import { calibrate } from './onnx/calibrate.ts';
import { foldBatchNorm } from './onnx/fold-batch-norm.ts';
import { fuseBiases } from './onnx/fuse-biases.ts';
import { type ImageType, onnxGraph } from './onnx/index.ts';
import { onnxBytes } from './onnx/proto.ts';
import { planQuantization, quantize } from './onnx/quantize.ts';
import { loadRuntime, openOnnx } from './onnx/runtime.ts';

/** How a model is rounded to 8 bits. */
export interface Int8Options {
  /** Images that ranges of activations are measured on. Default: 256, or as many as there are. */
  calibrationImages?: number;
}

type Figures = Pick<Evaluation, 'accuracy' | 'balancedAccuracy'>;

/** What rounding to 8 bits did. */
export interface Int8Report {
  /** Images that ranges of activations were measured on. */
  calibration: { split: 'validation' | 'train'; images: number };
  /** On the test set, in 0…1, in onnxruntime-node. */
  test: {
    images: number;
    float32: Figures;
    int8: Figures;
    /** Share of images that both put into the same class. */
    agreement: number;
  };
  /** Bytes of the model. */
  bytes: { float32: number; int8: number };
  /** Said where accuracy or balanced accuracy falls by more than 0.01. */
  warning: string | null;
}

const CALIBRATION_IMAGES = 256;
/** Accuracy may fall by this much without a warning. */
const BOUND = 0.01;
/** Images of a call. */
const BATCH = 32;

/**
 * The classifier with weights and activations of 8 bits, and what that does to its accuracy.
 *
 * @param run - opened with its images
 * @returns content of `model.onnx`, and of the same model in float32
 * @throws {TailmixError} EXPORT_IMAGES, ONNX_RUNTIME, OTHER_DATA
 */
export async function quantizeClassifier(
  run: TrainedRun,
  classifier: Classifier,
  type: ImageType,
  { calibrationImages = CALIBRATION_IMAGES, allowOtherData = false }: Int8Options & { allowOtherData?: boolean },
): Promise<{ model: Uint8Array; float: Uint8Array; report: Int8Report }> {
  if (run.data.test.split.labels.length === 0) throw int8NeedsImages();
  const runtime = await loadRuntime('model.onnx');
  const { subset: test } = splitOf(run, 'test', allowOtherData);
  const graph = onnxGraph(classifier, type);
  const fused = fuseBiases(foldBatchNorm(graph));
  const plan = planQuantization(fused);
  const source = run.data.validation ?? run.data.train;
  const count = Math.min(calibrationImages, source.indices.length);
  const spread = Int32Array.from(evenly(source.indices.length, count), (at) => source.indices[at]!);
  const batches = () => batchesOf(run, { ...source, indices: spread });
  const ranges = await calibrate(fused, plan.tensors, batches, runtime);
  const [float, model] = [onnxBytes(graph), onnxBytes(quantize(fused, plan, ranges))];
  const compared = await compare(run, test, float, model);
  const warning = int8Loses(compared.float32, compared.int8, BOUND);
  if (warning !== null) process.emitWarning(warning, { type: 'TailmixWarning', code: 'INT8_ACCURACY' });
  const report: Int8Report = {
    calibration: { split: run.data.validation ? 'validation' : 'train', images: count },
    test: compared,
    bytes: { float32: float.length, int8: model.length },
    warning,
  };
  return { model, float, report };
}

/** Evaluates two forms of a model on the same images. */
async function compare(
  run: TrainedRun,
  subset: Subset,
  ...models: readonly [Uint8Array, Uint8Array]
): Promise<Int8Report['test']> {
  const { classes, classCounts, groups, imageShape } = run.info;
  const open = (model: Uint8Array): Promise<Pick<Network, 'run' | 'dispose'>> =>
    openOnnx(model, 'model.onnx', imageShape);
  const networks = [await open(models[0]), await open(models[1])] as const;
  const evaluators = networks.map(() => createEvaluator({ classes, classCounts, groups }));
  let agreeing = 0;
  try {
    for await (const { images, labels, count } of batchesOf(run, subset)) {
      const logits = [await networks[0].run(images, count), await networks[1].run(images, count)].map(
        (one) => one.logits,
      );
      for (const [i, own] of logits.entries()) evaluators[i]!.add(own, labels);
      const [tops, others] = logits.map((own) => rowsOf(own, count).map((row) => row.indexOf(Math.max(...row))));
      agreeing += tops!.filter((top, i) => top === others![i]).length;
    }
  } finally {
    for (const network of networks) await network.dispose();
  }
  const [float32, int8] = evaluators.map((evaluator): Figures => {
    const { accuracy, balancedAccuracy } = evaluator.result();
    return { accuracy, balancedAccuracy };
  });
  const images = subset.indices.length;
  return { images, float32: float32!, int8: int8!, agreement: agreeing / images };
}

async function* batchesOf(
  { info: { imageShape, mean } }: TrainedRun,
  { split, indices }: Subset,
): AsyncGenerator<{ images: Uint8Array; labels: Int32Array; count: number }> {
  const loader = createLoader({ shape: imageShape, augment: [], mean, seed: 0 });
  try {
    for await (const { images, labels, release } of loader.load(split, inOrder(indices, BATCH), 0, false)) {
      // A copy: onnxruntime takes no shared memory.
      yield { images: Uint8Array.from(images), labels, count: labels.length };
      release();
    }
  } finally {
    await loader.close();
  }
}
