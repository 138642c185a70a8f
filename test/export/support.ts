import { compose } from '../../src/compose/compose.ts';
import type { Interpolation } from '../../src/data/transforms/resample.ts';
import type { LoadedData, Subset } from '../../src/data/types.ts';
import type { Plugin } from '../../src/plugin.ts';
import { randomStream } from '../../src/random.ts';
import { prepare, type TrainerOptions } from '../../src/train/prepare.ts';
import type { TrainedRun } from '../../src/trained/open.ts';
import { predictProgram } from '../../src/trained/predict-program.ts';

const CLASSES = ['cat', 'dog', 'ship "Æ"', 'frog', 'café'];

const subset = (classCounts: readonly number[]): Subset => ({
  split: { name: 'train', labels: new Int32Array(), pixels: { kind: 'memory', bytes: new SharedArrayBuffer(0) } },
  indices: new Int32Array(),
  hash: '',
  classCounts: Int32Array.from(classCounts),
});

type Shape = readonly [number, number, number];

/** A data set that is described and not there. */
const described = (shape: Shape, packShape?: Shape, interpolation?: Interpolation): LoadedData => ({
  info: {
    name: 'described',
    classes: CLASSES,
    shape,
    ...(packShape && { packShape }),
    ...(interpolation && { interpolation }),
    mean: [0.49, 0.48, 0.45].slice(0, shape[2]),
    std: [0.25, 0.24, 0.26].slice(0, shape[2]),
  },
  train: subset([40, 20, 10, 4, 2]),
  validation: { ...subset([1, 1, 1, 1, 1]), indices: new Int32Array(5) },
  test: subset([2, 2, 2, 2, 2]),
  augment: [],
  skipped: [],
});

/** A run as if it were trained: weights drawn, statistics and slots away from where they begin. */
export async function trainedRun({
  model,
  plugins = [],
  shape = [16, 12, 3],
  packShape,
  interpolation,
}: {
  model: TrainerOptions['model'];
  plugins?: readonly Plugin[];
  shape?: Shape;
  packShape?: Shape;
  interpolation?: Interpolation;
}): Promise<TrainedRun> {
  const data = described(shape, packShape, interpolation);
  const preparation = await prepare({ name: 'exported', seed: 3, data, model, plugins });
  const composition = compose(plugins, preparation.info);
  const { state } = predictProgram({ ...preparation, composition }, 1);
  const moved = Object.entries(state).map(([name, { shape: of, values }]) => {
    const random = randomStream('moved', name);
    const isVariance = name.endsWith('/variance');
    const move = (value: number): number => {
      if (name.endsWith('/kernel')) return value * (0.9 + 0.2 * random.uniform());
      return isVariance ? 0.5 + random.uniform() : value + 0.2 * random.normal();
    };
    return [name, { shape: of, values: values.map(move) }] as const;
  });
  return {
    ...preparation,
    composition,
    exif: 'honour',
    whole: preparation.options,
    directory: '',
    checkpoint: '',
    damaged: [],
    snapshot: {
      epoch: 7,
      step: 70,
      state: Object.fromEntries(moved),
      weights: preparation.model.weights.map(({ name }) => name),
      plugins: Object.fromEntries(Object.entries(composition.states).map(([name, own]) => [name, own.save()])),
      history: [],
      seconds: 1,
      configHash: '',
    },
  };
}

/** Images of noise, uint8. */
export function noiseImages([height, width, channels]: readonly [number, number, number], count: number): Uint8Array[] {
  const random = randomStream('noise');
  return Array.from({ length: count }, () =>
    Uint8Array.from({ length: height * width * channels }, () => Math.floor(256 * random.uniform())),
  );
}

/** Largest difference, as a share of the largest expected value. */
export function relativeDifference(got: readonly ArrayLike<number>[], expected: readonly ArrayLike<number>[]): number {
  const [all, wanted] = [got, expected].map((rows) => rows.flatMap((row) => Array.from(row)));
  if (all!.length !== wanted!.length) return Number.NaN;
  const largest = Math.max(...wanted!.map(Math.abs));
  return Math.max(...wanted!.map((value, i) => Math.abs(value - all![i]!))) / largest;
}
