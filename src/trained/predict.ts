import { createEagerEngine } from '../step/eager.ts';
import { restore } from '../train/open-run.ts';
import { predictProgram, type TrainedRun } from './open.ts';

/** Images of one call of the network. */
const BATCH = 64;

/**
 * Logits of images, computed op by op in float32, the reference that every export is compared with.
 *
 * @param images - `[height × width × channels]` uint8 each, as the run's data set gives them.
 * @returns `[C]` for each image.
 */
export function predictLogits(run: TrainedRun, images: readonly Uint8Array[]): Float32Array[] {
  const { info, snapshot, composition } = run;
  const size = Math.max(1, Math.min(BATCH, images.length));
  const program = predictProgram(run, size);
  const signature = program.signatures[0]!;
  const engine = createEagerEngine(program);
  const [height, width, channels] = info.imageShape;
  const bytes = height * width * channels;
  const classes = info.classes.length;
  try {
    restore(snapshot, composition, program, engine);
    return Array.from({ length: Math.ceil(images.length / size) }, (_, batch) => {
      const rows = images.slice(batch * size, (batch + 1) * size);
      const fed = new Uint8Array(size * bytes);
      for (const [row, image] of rows.entries()) fed.set(image, row * bytes);
      const logits = engine.run(signature, { images: fed }).logits as Float32Array;
      return rows.map((_row, row) => logits.slice(row * classes, (row + 1) * classes));
    }).flat();
  } finally {
    engine.dispose();
  }
}

/** `[C]` logits as probabilities, in double precision. */
export function softmax(logits: Float32Array): Float64Array {
  const largest = logits.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const exponentials = Float64Array.from(logits, (logit) => Math.exp(logit - largest));
  const sum = exponentials.reduce((a, b) => a + b, 0);
  return exponentials.map((value) => value / sum);
}

/** A class and how likely it is. */
export interface Guess {
  class: string;
  /** Label: position in the list of classes. */
  label: number;
  probability: number;
}

/** The `k` likeliest classes, the likeliest first; equal ones in label order. */
export function topClasses(probabilities: Float64Array, classes: readonly string[], k: number): Guess[] {
  return [...probabilities]
    .map((probability, label) => ({ class: classes[label]!, label, probability }))
    .sort((a, b) => b.probability - a.probability || a.label - b.label)
    .slice(0, k);
}
