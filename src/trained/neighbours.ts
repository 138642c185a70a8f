import { type Backend, loadBackend } from '../backend/load.ts';
import { rowShape, rowValues } from '../data/features.ts';
import { createLoader } from '../data/loader/loader.ts';
import type { Subset } from '../data/types.ts';
import { createEngine } from '../step/index.ts';
import { evaluationBatch, inOrder } from '../train/evaluate.ts';
import { restore } from '../train/open-run.ts';
import { evenly } from '../util/evenly.ts';
import { sizeOf } from '../util/shape.ts';
import { onDeviceHere } from './device-here.ts';
import { classifierProgram } from './network.ts';
import type { TrainedRun } from './open.ts';

/** A training image that a network sees as near to another image. */
export interface Neighbour {
  /** Row of the training split. */
  row: number;
  label: number;
  /** Cosine of the angle between the features, −1…1. */
  similarity: number;
}

/** Neighbours of images, and among how many training images they were looked for. */
export interface Neighbours {
  /** Of each image, the nearest first. */
  of: Neighbour[][];
  among: number;
}

/** Training images that are looked at. */
const MOST = 50_000;

/**
 * The training images nearest to some images: by the cosine of what the network gives its classifier, without augmentation. Of more than
 * 50,000 training images, 50,000 are looked at, spread evenly.
 *
 * @param images - rows of a split
 * @param count - neighbours of each
 */
export async function neighboursOf(
  run: TrainedRun,
  images: Pick<Subset, 'split' | 'indices'>,
  count: number,
): Promise<Neighbours> {
  const { train } = run.data;
  const indices = evenly(train.indices.length, Math.min(MOST, train.indices.length)).map((at) => train.indices[at]!);
  const embedder = await openEmbedder(run, await loadBackend(run.options.backend));
  try {
    const wanted: Float32Array[] = [];
    for await (const { feature } of embedder.of(images)) wanted.push(unit(feature));
    const of: Neighbour[][] = wanted.map(() => []);
    for await (const { feature, row } of embedder.of({ split: train.split, indices: Int32Array.from(indices) })) {
      const own = unit(feature);
      for (const [i, other] of wanted.entries()) {
        const similarity = dot(own, other);
        const nearest = of[i]!;
        if (nearest.length === count && similarity <= nearest.at(-1)!.similarity) continue;
        const place = nearest.findIndex((found) => found.similarity < similarity);
        nearest.splice(place < 0 ? nearest.length : place, 0, { row, label: train.split.labels[row]!, similarity });
        nearest.length = Math.min(nearest.length, count);
      }
    }
    return { of, among: indices.length };
  } finally {
    await embedder.close();
  }
}

/** What the network gives its classifier, image by image. */
async function openEmbedder(run: TrainedRun, backend: Backend) {
  const { info, data, settings, snapshot, composition } = run;
  const batchSize = evaluationBatch(settings.evaluate, info, Number.POSITIVE_INFINITY);
  const program = classifierProgram(run, batchSize);
  const engine = await createEngine(program, backend, (await onDeviceHere(run, backend)).settings.train);
  try {
    restore(snapshot, composition, program, engine);
  } catch (error) {
    engine.dispose();
    throw error;
  }
  const { workers } = settings;
  const loader = createLoader({ shape: rowShape(data.info), augment: [], mean: data.info.mean, seed: 0, workers });
  const signature = program.signatures[0]!;
  const isFeatures = info.features !== undefined;
  const bytes = sizeOf(signature.inputs.images!.shape) * (isFeatures ? Float32Array.BYTES_PER_ELEMENT : 1);
  return {
    async *of({ split, indices }: Pick<Subset, 'split' | 'indices'>) {
      const steps = inOrder(indices, batchSize);
      let step = 0;
      for await (const rows of loader.load(split, steps, 0, false)) {
        const full = new Uint8Array(bytes);
        full.set(rows.images);
        const features = engine.run(signature, { images: rowValues(full, isFeatures) }).features as Float32Array;
        const size = features.length / batchSize;
        for (const [i, row] of steps[step++]!.indices.entries())
          yield { row, feature: features.subarray(i * size, (i + 1) * size) };
        rows.release();
      }
    },
    async close() {
      await loader.close();
      engine.dispose();
    },
  };
}

/** A copy of length 1; zeros stay as they are. */
function unit(feature: Float32Array): Float32Array {
  const length = Math.sqrt(dot(feature, feature));
  return feature.map((value) => (length === 0 ? 0 : value / length));
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
