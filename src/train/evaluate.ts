import type { Loader, Subset } from '../data/types.ts';
import type { Signature } from '../graph/index.ts';
import { createEvaluator } from '../metrics/evaluator.ts';
import type { Evaluation } from '../metrics/types.ts';
import type { RunInfo } from '../run.ts';
import type { Engine } from '../step/types.ts';
import { yieldToEventLoop } from '../util/event-loop.ts';
import { sizeOf } from '../util/shape.ts';

/** Evaluates the engine's weights on a subset, without augmentation; the last batch is padded to full size. */
export async function evaluate(
  engine: Engine,
  signature: Signature,
  loader: Loader,
  subset: Subset,
  { classes, classCounts, groups }: Pick<RunInfo, 'classes' | 'classCounts' | 'groups'>,
): Promise<Evaluation> {
  const [batchSize = 0, ...imageShape] = signature.inputs.images!.shape;
  const bytes = sizeOf(imageShape);
  const evaluator = createEvaluator({ classes, classCounts, groups });
  const steps = inOrder(subset.indices, batchSize);
  for await (const rows of loader.load(subset.split, steps, 0, false)) {
    const { images, labels } = rows;
    const full = images.length === batchSize * bytes ? images : padded(images, batchSize * bytes);
    const { logits } = engine.run(signature, { images: full });
    evaluator.add((logits as Float32Array).subarray(0, labels.length * classes.length), labels);
    rows.release();
    await yieldToEventLoop();
  }
  return evaluator.result();
}

const inOrder = (indices: Int32Array, batchSize: number) =>
  Array.from({ length: Math.ceil(indices.length / batchSize) }, (_, step) => {
    const start = step * batchSize;
    const rows = indices.subarray(start, start + batchSize);
    return { indices: rows, positions: rows.map((_, i) => start + i) };
  });

function padded(images: Uint8Array, length: number): Uint8Array {
  const full = new Uint8Array(length);
  full.set(images);
  return full;
}
