import { internal } from '../../errors.ts';
import { type Crops, cropCounts, type Shape } from '../transforms/augment.ts';
import type { TransformOptions } from '../transforms/options.ts';
import type { LoadedRows, Loader, OtherRows, Split, StepRows } from '../types.ts';
import { type OtherSource, openFiller } from './fill.ts';
import { JOB, type Job, STATE, wakeWorkers } from './ring.ts';
import { startThreads } from './threads.ts';

/** What a loader must know. */
export interface LoaderOptions {
  /** `[height, width, channels]` of every image that comes out. */
  shape: Shape;
  /** Transforms of augmented loads, in order. */
  augment: readonly TransformOptions[];
  /** Mean colour of the data set, of pixels in 0…1. */
  mean?: readonly number[];
  /** What loads that are not augmented cut out of larger images; `five` takes crop `position % 5`. Default: `centre`. */
  crops?: Crops | undefined;
  /** Seed of the run; augmentation is a function of (seed, epoch, position, image). */
  seed: number;
  /** Epochs of the run, by which some transforms change. Default: 1. */
  epochs?: number | undefined;
  /** Threads; 0 loads in the main one. Default 1. */
  workers?: number;
  /** Steps kept ready ahead of the consumer. Default: two per worker, at least 4. */
  prefetch?: number;
  /** Program of the threads. Default: tailmix's own. */
  program?: URL;
}

/**
 * Makes a loader. Bytes do not depend on the number of workers. Threads start at once and do not keep the process
 * alive; `close` ends them.
 */
export function createLoader(options: LoaderOptions): Loader {
  const { workers = 1 } = options;
  return workers === 0 ? createMainThreadLoader(options) : createThreadedLoader(options, workers);
}

function createMainThreadLoader({ shape, augment, mean, crops = 'centre', seed, epochs }: LoaderOptions): Loader {
  const bytes = shape[0] * shape[1] * shape[2];
  let waitMs = 0;
  return {
    crops: cropCounts[crops],
    get waitMs() {
      return waitMs;
    },
    async *load(split, steps, epoch, augmented, others = []) {
      const filler = openFiller({
        pixels: split.pixels,
        shape,
        ...(augmented ? { transforms: augment } : { transforms: [], crops }),
        others: sourcesOf(others, augmented ? augment : []),
        mean,
        seed,
        epoch,
        epochs,
      });
      try {
        for (const step of steps) {
          const start = performance.now();
          const images = new Uint8Array(step.indices.length * bytes);
          await filler.fill(step, images);
          waitMs += performance.now() - start;
          yield { images, labels: labelsOf(split, others, step), release() {} };
        }
      } finally {
        filler.close();
      }
    },
    async close() {},
  };
}

function createThreadedLoader(
  { shape, augment, mean, crops = 'centre', seed, epochs, prefetch, program }: LoaderOptions,
  workers: number,
): Loader {
  const bytes = shape[0] * shape[1] * shape[2];
  const slotCount = prefetch ?? Math.max(4, 2 * workers);
  const threads = startThreads(workers, program);
  const control = new Int32Array(new SharedArrayBuffer((STATE + slotCount) * 4));
  let slots = new SharedArrayBuffer(0);
  let jobs = 0;
  let loading = false;
  let waitMs = 0;

  async function* load(
    split: Split,
    steps: readonly StepRows[],
    epoch: number,
    augmented: boolean,
    others: readonly OtherRows[] = [],
  ): AsyncGenerator<LoadedRows> {
    if (loading) throw internal('a loader loads one epoch at a time');
    loading = true;
    const id = ++jobs;
    const slotBytes = bytes * steps.reduce((most, step) => Math.max(most, step.indices.length), 0);
    if (slots.byteLength < slotCount * slotBytes) slots = new SharedArrayBuffer(slotCount * slotBytes);
    Atomics.store(control, JOB, id);
    for (let slot = 0; slot < slotCount; slot++) Atomics.store(control, STATE + slot, slot);
    const job: Job = {
      id,
      control,
      slots,
      slotBytes,
      seed,
      epoch,
      epochs,
      shape,
      pixels: split.pixels,
      ...(augmented ? { transforms: augment } : { transforms: [], crops }),
      others: sourcesOf(others, augmented ? augment : []),
      mean,
      ...shareSteps(steps),
    };
    try {
      threads.start(job);
      for (const [s, step] of steps.entries()) {
        const slot = s % slotCount;
        await ready(slot, s);
        yield {
          images: new Uint8Array(slots, slot * slotBytes, step.indices.length * bytes),
          labels: labelsOf(split, others, step),
          release() {
            if (control[JOB] !== id || control[STATE + slot] !== ~s) return;
            Atomics.store(control, STATE + slot, s + slotCount);
            wakeWorkers(control);
          },
        };
      }
    } finally {
      Atomics.store(control, JOB, 0);
      wakeWorkers(control);
      await threads.finished();
      loading = false;
    }
  }

  async function ready(slot: number, step: number): Promise<void> {
    threads.check();
    const state = (): number => Atomics.load(control, STATE + slot);
    // Read once: a worker may turn the state from free to ready between two looks.
    const seen = state();
    if (seen === ~step) return;
    if (seen !== step) throw internal(`${slotCount} batches of the loader are held at once: release them`);
    const start = performance.now();
    await threads.until(() => state() === ~step);
    waitMs += performance.now() - start;
  }

  return {
    load,
    crops: cropCounts[crops],
    get waitMs() {
      return waitMs;
    },
    async close() {
      Atomics.store(control, JOB, 0);
      wakeWorkers(control);
      await threads.close();
    },
  };
}

/** `[rows]`. */
function labelsOf(split: Split, others: readonly OtherRows[], { indices, sources }: StepRows): Int32Array {
  const splits = [split, ...others.map((other) => other.split)];
  return indices.map((row, i) => splits[sources?.[i] ?? 0]!.labels[row]!);
}

const sourcesOf = (others: readonly OtherRows[], augment: LoaderOptions['augment']): OtherSource[] =>
  others.map(({ key, split, augment: own }) => ({
    key,
    pixels: split.pixels,
    transforms: own ?? augment,
    isWeakened: own === undefined,
  }));

/** The steps as flat arrays in shared memory. */
function shareSteps(
  steps: readonly StepRows[],
): Pick<Job, 'indices' | 'positions' | 'starts' | 'sources' | 'strengths'> {
  const shared = (n: number): Int32Array => new Int32Array(new SharedArrayBuffer(n * 4));
  const total = steps.reduce((n, step) => n + step.indices.length, 0);
  const [indices, positions, starts] = [shared(total), shared(total), shared(steps.length + 1)];
  const sources = steps[0]?.sources && new Uint8Array(new SharedArrayBuffer(total));
  const strengths = steps[0]?.strengths && new Float32Array(new SharedArrayBuffer(total * 4));
  let at = 0;
  for (const [s, step] of steps.entries()) {
    starts[s] = at;
    indices.set(step.indices, at);
    positions.set(step.positions, at);
    if (step.sources) sources?.set(step.sources, at);
    if (step.strengths) strengths?.set(step.strengths, at);
    at += step.indices.length;
  }
  starts[steps.length] = at;
  return { indices, positions, starts, ...(sources && { sources }), ...(strengths && { strengths }) };
}
