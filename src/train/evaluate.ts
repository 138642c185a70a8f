import { gather } from '../cluster/exchange.ts';
import type { Link } from '../cluster/link.ts';
import { rowValues } from '../data/features.ts';
import type { Loader, StepRows, Subset } from '../data/types.ts';
import type { HostArray, Signature } from '../graph/index.ts';
import { createEvaluator } from '../metrics/evaluator.ts';
import { createLogitKeeper, type KeptLogits } from '../metrics/logits.ts';
import type { EvaluatedSplit, Evaluation } from '../metrics/types.ts';
import type { RunInfo } from '../run.ts';
import type { Engine } from '../step/types.ts';
import { yieldToEventLoop } from '../util/event-loop.ts';
import { sizeOf } from '../util/shape.ts';
import { labelsOf } from './epoch.ts';

/** Images per forward pass, up to `PIXELS` in all. */
const [MOST, PIXELS] = [500, 500 * 32 * 32];

/**
 * Images per forward pass of an evaluation: as set, else as many as a constant number of pixels allows, since 500 images
 * of 224 × 224 take 9 GB. What fits in training fits here.
 *
 * @param images - images of the set; no more are taken.
 */
export function evaluationBatch(
  { batchSize }: { batchSize?: number | undefined },
  { imageShape: [height, width], batchSize: trained }: Pick<RunInfo, 'imageShape' | 'batchSize'>,
  images: number,
): number {
  return Math.min(images, batchSize ?? Math.min(MOST, Math.max(trained, Math.floor(PIXELS / (height * width)))));
}

/** Logits of some images of a subset. */
export interface LogitRows {
  /** `[rows × C]`. */
  logits: Float32Array;
  /** `[rows]`. */
  labels: Int32Array;
  /** `[rows]`, rows of the split. */
  indices: Int32Array;
}

/**
 * Logits of the engine's weights on a subset, in its order, without augmentation; the last batch is padded to full size. Of several
 * crops of an image it is the mean.
 *
 * @param classes - C
 * @param link - in a process of a cluster: each computes a part, and all have all
 */
export async function* logitsOf(
  engine: Engine,
  signature: Signature,
  loader: Loader,
  { split, indices }: Pick<Subset, 'split' | 'indices'>,
  classes: number,
  link?: Link,
): AsyncGenerator<LogitRows, void, undefined> {
  const batches = inOrder(indices, signature.inputs.images!.shape[0]!);
  const subset = { split, batches };
  yield* link
    ? logitsOfAll(link, subset, classes, (own) => logitsOfBatches(engine, signature, loader, own, classes))
    : logitsOfBatches(engine, signature, loader, subset, classes);
}

/** Batches of a split that are evaluated. */
interface Batches {
  split: Subset['split'];
  batches: readonly StepRows[];
}

/** Logits of all batches, of which each process computes every n-th: the same bits in all, as if one had computed them. */
async function* logitsOfAll(
  link: Link,
  { split, batches }: Batches,
  classes: number,
  compute: (own: Batches) => AsyncGenerator<LogitRows, void, undefined>,
): AsyncGenerator<LogitRows, void, undefined> {
  const { rank, processes } = link;
  const own = compute({ split, batches: batches.filter((_, i) => i % processes === rank) });
  for (let first = 0; first < batches.length; first += processes) {
    const { value } = first + rank < batches.length ? await own.next() : { value: undefined };
    const bits = new Int32Array(batches[first]!.indices.length * classes);
    if (value) bits.set(new Int32Array(value.logits.buffer, value.logits.byteOffset, value.logits.length));
    const all = gather(link, bits);
    for (const [i, { indices }] of batches.slice(first, first + processes).entries()) {
      const logits = new Float32Array(all[i]!.slice(0, indices.length * classes).buffer);
      yield { logits, labels: labelsOf(split, indices), indices };
    }
  }
  await own.return();
}

async function* logitsOfBatches(
  engine: Engine,
  signature: Signature,
  loader: Loader,
  { split, batches }: Batches,
  classes: number,
): AsyncGenerator<LogitRows, void, undefined> {
  const { shape, dtype } = signature.inputs.images!;
  const isFeatures = dtype === 'float32';
  const bytes = sizeOf(shape) * (isFeatures ? Float32Array.BYTES_PER_ELEMENT : 1);
  const { crops } = loader;
  const steps = batches.flatMap((rows) => cropsOf(rows, crops));
  let step = 0;
  let sums = null as Float32Array | null;
  /** Rows whose step was started, and what reads it: while the host does, the engine computes the next one. */
  let unread = null as { indices: Int32Array; logits(): Float32Array } | null;
  const finish = function* ({ indices, logits: read }: NonNullable<typeof unread>): Generator<LogitRows> {
    const logits = read();
    if (crops > 1) sums = sums?.map((value, i) => value + logits[i]!) ?? logits.slice();
    if (++step % crops !== 0) return;
    const mean = sums?.map((value) => value / crops) ?? logits;
    sums = null;
    yield { logits: mean.subarray(0, indices.length * classes), labels: labelsOf(split, indices), indices };
  };
  let loaded = 0;
  for await (const { images, release } of loader.load(split, steps, 0, false)) {
    const full = images.length === bytes ? images : padded(images, bytes);
    const before = unread;
    unread = { indices: steps[loaded++]!.indices, logits: startLogits(engine, signature, rowValues(full, isFeatures)) };
    if (before) yield* finish(before);
    release();
    await yieldToEventLoop();
  }
  if (unread) yield* finish(unread);
}

/** Starts a prediction where the engine can run ahead, else computes it. */
export function startLogits(engine: Engine, signature: Signature, images: HostArray): () => Float32Array {
  const outputs = engine.start?.(signature, { images });
  const computed = outputs ? null : engine.run(signature, { images });
  return () => (computed ?? outputs!()).logits as Float32Array;
}

/** What an evaluation leaves. */
export interface Evaluated {
  evaluation: Evaluation;
  /** Null where they are not kept. */
  logits: KeptLogits | null;
}

/** What is done with an evaluation beyond core's figures. */
export interface EvaluateOptions {
  /** Whether logits are kept. Default: no. */
  keep?: boolean;
  /** Figures of plugins. Default: none; all logits are then never in memory at one time. */
  figures?: ((seen: Pick<EvaluatedSplit, 'logits' | 'labels' | 'evaluation'>) => Record<string, number>) | null;
  /** In a process of a cluster. */
  link?: Link | undefined;
}

/** Evaluates the engine's weights on a subset. */
export async function evaluate(
  engine: Engine,
  signature: Signature,
  loader: Loader,
  subset: Subset,
  { classes, classCounts, groups }: Pick<RunInfo, 'classes' | 'classCounts' | 'groups'>,
  { keep = false, figures = null, link }: EvaluateOptions = {},
): Promise<Evaluated> {
  const evaluator = createEvaluator({ classes, classCounts, groups });
  const [N, C] = [subset.indices.length, classes.length];
  const keeper = keep ? createLogitKeeper(N, C) : null;
  const all = figures && { logits: new Float32Array(N * C), labels: new Int32Array(N) };
  let count = 0;
  for await (const { logits, labels, indices } of logitsOf(engine, signature, loader, subset, C, link)) {
    evaluator.add(logits, labels);
    keeper?.add(logits, labels, indices);
    all?.logits.set(logits, count * C);
    all?.labels.set(labels, count);
    count += labels.length;
  }
  const evaluation = evaluator.result();
  const found = figures && all ? figures({ ...all, evaluation }) : {};
  return {
    evaluation: Object.keys(found).length === 0 ? evaluation : { ...evaluation, figures: found },
    logits: keeper?.result() ?? null,
  };
}

/** Steps through rows of a split in their order, without augmentation. */
export const inOrder = (indices: Int32Array, batchSize: number) =>
  Array.from({ length: Math.ceil(indices.length / batchSize) }, (_, step) => {
    const start = step * batchSize;
    const rows = indices.subarray(start, start + batchSize);
    return { indices: rows, positions: rows.map((_, i) => start + i) };
  });

/** A step once for each crop of its images, which the position names. */
const cropsOf = ({ indices, positions }: StepRows, crops: number): StepRows[] =>
  crops === 1
    ? [{ indices, positions }]
    : Array.from({ length: crops }, (_, crop) => ({ indices, positions: positions.map(() => crop) }));

/** Images of a batch, filled up with zeros. */
export function padded(images: Uint8Array, length: number): Uint8Array {
  const full = new Uint8Array(length);
  full.set(images);
  return full;
}
