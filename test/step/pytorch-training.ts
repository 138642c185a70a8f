import { expect } from 'vitest';
import type { z } from 'zod';
import { z as zod } from 'zod';
import { keptShare } from '../../plugins/cutmix/index.ts';
import { registry } from '../../plugins/index.ts';
import type { Backend } from '../../src/backend/load.ts';
import { compose } from '../../src/compose/compose.ts';
import { subsetOf } from '../../src/data/subset.ts';
import type { LoadedData, Split } from '../../src/data/types.ts';
import { definePlugin, Order, type Plugin } from '../../src/plugin.ts';
import type { optimizerOptions } from '../../src/step/options.ts';
import { signatureFor } from '../../src/step/signature.ts';
import type { Box } from '../../src/step/types.ts';
import { decideStep, openFit, trainStep } from '../../src/train/fit.ts';
import { prepare } from '../../src/train/prepare.ts';
import { type Description, distanceTo, noise, readReference, referenceWeight } from '../models/reference.ts';
import { at } from '../support/plugins.ts';

type Changes = Record<string, Description>;

/** test/reference/training.json. */
interface Reference {
  batch: number;
  imageShape: [number, number, number];
  stepsPerEpoch: number;
  mean: number[];
  std: number[];
  optimizer: z.input<typeof optimizerOptions>;
  ldam: { maxMargin: number; scale: number };
  stages: string[];
  labels: number[];
  steps: { pair: number[]; lambda: number; lambdas: number[]; box: Box; stage: string }[];
  cases: {
    name: string;
    plugins: string[];
    stage: string | null;
    box: boolean;
    lambda: 'batch' | 'sample';
    deferUntil: number | null;
    reduction: 'mean' | 'weighted-mean';
    replicas?: number;
    /** How far PyTorch's float32 is from its float64, after 1 and 10 steps. */
    float32: Record<string, Apart & { moved: number }>;
    losses: number[];
    logits: Description;
    /** Of every tensor since the beginning, after 1 and 10 steps. */
    change: Record<string, Changes>;
    /** Of a few tensors after 10 steps that are wrong in one thing. */
    wrong: { what: string; change: Changes }[];
  }[];
}

type Case = Reference['cases'][number];

/** Relative L2 norms of differences: of the worst loss, of the worst tensor, and of all that the steps changed. */
interface Apart {
  loss: number;
  tensor: number;
  change: number;
}

export const reference = readReference<Reference>('training.json');
const { batch, imageShape, steps, stages } = reference;
const [height, width, channels] = imageShape;
export const TOLERANCE = 1e-4;

/** Images of test/reference/training.py: 4 × 4 coloured fields under noise. */
function image(row: number): Uint8Array {
  const fields = noise(`fields${row}`, 4 * 4 * channels);
  const fine = noise(`fine${row}`, height * width * channels);
  return Uint8Array.from(fine, (value, i) => {
    const [y, x, c] = [Math.floor(i / channels / width), Math.floor(i / channels) % width, i % channels];
    const field = fields[(Math.floor((4 * y) / height) * 4 + Math.floor((4 * x) / width)) * channels + c]!;
    return Math.floor((field * 0.75 + value * 0.25 + 1) * 128);
  });
}

const bytesPerImage = height * width * channels;
const labels = Int32Array.from(reference.labels);
const bytes = new Uint8Array(new SharedArrayBuffer(labels.length * bytesPerImage));
labels.forEach((_, row) => void bytes.set(image(row), row * bytesPerImage));
const classes = Array.from({ length: Math.max(...labels) + 1 }, (_, c) => `class ${c}`);
const split = (name: Split['name']): Split => ({
  name,
  labels,
  pixels: { kind: 'memory', bytes: bytes.buffer as SharedArrayBuffer },
});
const data: LoadedData = {
  info: { name: 'fields', classes, shape: imageShape, mean: reference.mean, std: reference.std },
  train: subsetOf(split('train'), Int32Array.from(labels.keys()), classes.length),
  validation: null,
  test: subsetOf(
    split('test'),
    Int32Array.from({ length: batch }, (_, i) => i),
    classes.length,
  ),
  augment: [],
  skipped: [],
};

/** Puts the script's pair, lambda, box and stage in the place of those that were drawn. */
const given = ({ stage, box, lambda, replicas = 1 }: Case): Plugin =>
  definePlugin({
    name: 'given',
    options: zod.strictObject({}),
    apply({ hooks }) {
      hooks.onBatch.tap({ name: 'given', stage: Order.Observe }, (drawn, ctx) => {
        if (stage === null) return drawn;
        const step = steps[(ctx.step - 1) % steps.length]!;
        const share = box ? keptShare(step.box, height, width) : step.lambda;
        return {
          ...drawn,
          pair: Int32Array.from(step.pair, (row, i) => i - (i % (batch / replicas)) + (row % (batch / replicas))),
          lambda: lambda === 'sample' ? Float32Array.from(step.lambdas) : new Float32Array(batch).fill(share),
          box: box ? step.box : null,
          variants: { mix: box ? `${stage}:box` : stage === 'drawn' ? step.stage : stage },
        };
      });
    },
  })();

function optionsOf(name: string, { stage, deferUntil }: Case): Record<string, unknown> {
  if (name === 'manifold-mixup') return { stages: stage === 'drawn' ? stages : [stage] };
  if (name === 'drw') return { deferUntil };
  return name === 'ldam' ? reference.ldam : {};
}

/** Values that the script starts with. */
function initialValue(name: string, shape: readonly number[]): Float32Array {
  if (name.endsWith('/mean')) return new Float32Array(shape[0]!);
  if (name.endsWith('/variance')) return new Float32Array(shape[0]!).fill(1);
  const factor = name.endsWith('/conv2/norm/scale')
    ? Math.fround(0.1)
    : name.endsWith('/shift')
      ? 5
      : name === 'classifier/kernel'
        ? 0.5
        : 1;
  return referenceWeight(name, shape).map((value) => value * factor);
}

/** Trains as the script does; what it changed after 1 and after all steps, and what it came to. */
export async function train(
  example: Case,
  backend: Backend,
  step: 'eager' | 'captured',
  { count = steps.length, device = 'cpu' }: { count?: number; device?: string } = {},
) {
  const plugins = await Promise.all(
    example.plugins.map(async (name) => (await registry[name]!()).default(optionsOf(name, example) as never)),
  );
  const preparation = await prepare({
    data,
    model: { name: 'resnet32', head: example.plugins.includes('ldam') ? 'cosine' : 'linear' },
    plugins,
    train: {
      epochs: 2,
      batchSize: batch,
      step,
      device,
      reduction: example.reduction,
      replicas: example.replicas,
      optimizer: reference.optimizer,
    },
  });
  const { info, model } = preparation;
  const composition = compose([...plugins, given(example)], info);
  const fit = await openFit(preparation, composition, backend);
  const { engine, program, loader } = fit;
  try {
    expect([engine.mode, info.stepsPerEpoch]).toEqual([step, reference.stepsPerEpoch]);
    const initial = Object.fromEntries(model.weights.map(({ name, shape }) => [name, initialValue(name, shape)]));
    engine.write(initial);
    const names = Object.keys(initial);
    const losses: number[] = [];
    const states: Record<number, Record<string, Float32Array>> = {};
    for (let s = 0; s < count; s++) {
      const epoch = 1 + Math.floor(s / info.stepsPerEpoch);
      const rows = Int32Array.from({ length: batch }, (_, i) => (s * batch + i) % labels.length);
      const images = bytes.slice(rows[0]! * bytesPerImage, (rows[0]! + batch) * bytesPerImage);
      const classWeights = composition.hooks.computeClassWeights.call(
        new Float64Array(classes.length).fill(1),
        at(epoch),
      );
      const planned = {
        size: batch,
        indices: rows,
        positions: rows,
        labels: rows.map((row) => labels[row]!),
        groups: {},
      };
      const ctx = at(epoch, s + 1, 1 + (s % info.stepsPerEpoch));
      const { loss } = trainStep(fit, decideStep(fit, planned, ctx), images, classWeights, ctx);
      losses.push(loss);
      states[s + 1] = s === 0 || s === count - 1 ? engine.read(names) : {};
    }
    const { logits } = engine.run(signatureFor(program, 'predict', {}), {
      images: bytes.slice(0, batch * bytesPerImage),
    });
    return { initial, losses, states, logits: logits!, on: engine.device };
  } finally {
    await loader.close();
    engine.dispose();
  }
}

type Trained = Awaited<ReturnType<typeof train>>;

/** Distance of what was trained from some changes of the script, relative to weights and to all changes. */
export function apart({ initial, states }: Trained, step: number, changes: Changes): Pick<Apart, 'tensor' | 'change'> {
  let worst = 0;
  let [distances, moves] = [0, 0];
  for (const [name, expected] of Object.entries(changes)) {
    const state = states[step]![name]!;
    const change = Float64Array.from(state, (value, i) => value - initial[name]![i]!);
    const distance = distanceTo(expected, name, change) * expected[0];
    worst = Math.max(worst, distance / Math.sqrt(state.reduce((sum, value) => sum + value ** 2, 0)));
    distances += distance ** 2;
    moves += expected[0] ** 2;
  }
  return { tensor: worst, change: Math.sqrt(distances / moves) };
}

const lossApart = (losses: readonly number[], expected: readonly number[]): number =>
  Math.max(...losses.map((loss, s) => Math.abs(loss / expected[s]! - 1)));

export function expectSame(trained: Trained, example: Case, step: number): void {
  const found = {
    loss: lossApart(trained.losses.slice(0, step), example.losses),
    ...apart(trained, step, example.change[step]!),
  };
  for (const [what, distance] of Object.entries(found)) {
    expect(distance, `${what} after ${step} steps`).toBeLessThan(TOLERANCE);
  }
}

export const cases = reference.cases.map((example) => [example.name, example] as const);
export const named = (name: string): Case => reference.cases.find((example) => example.name === name)!;
