import type { Exif } from '../data/packed/decode.ts';
import type { Interpolation } from '../data/transforms/resample.ts';
import type { GraphFunction, GraphProgram } from '../graph/index.ts';
import type { Forward } from '../models/types.ts';
import { createEagerEngine } from '../step/eager.ts';
import type { NamedTensors } from '../tf.ts';
import { restore } from '../train/open-run.ts';
import type { TrainedRun } from './open.ts';
import { predictProgram } from './predict-program.ts';

/** What a network says of a batch. */
export interface NetworkOutputs {
  /** `[count × C]`. */
  logits: Float32Array;
  /** `[count × D]`: what the classifier takes. */
  features: Float32Array;
}

/** A trained network, ready to run: that of a run or of an export. */
export interface Network {
  /** In label order. */
  classes: readonly string[];
  /** `[height, width, channels]`. */
  imageShape: readonly [number, number, number];
  /** What images are scaled to before their centre of `imageShape` is cut out. Default: `imageShape`. */
  packShape?: readonly [number, number, number];
  /** How images of other sizes are scaled. Default: `bilinear`. */
  interpolation?: Interpolation;
  /** Whether images are turned as their EXIF orientation says. */
  exif: Exif;
  /**
   * Runs a batch.
   *
   * @param images - `[count, height, width, channels]` uint8
   */
  run(images: Uint8Array, count: number): NetworkOutputs | Promise<NetworkOutputs>;
  dispose(): void | Promise<void>;
}

/** A network that answers at once. */
export interface SynchronousNetwork extends Network {
  run(images: Uint8Array, count: number): NetworkOutputs;
  dispose(): void;
}

/** A run's `predict` that gives features too: those of the model's last pass. */
export function classifierProgram(run: Parameters<typeof predictProgram>[0], batchSize: number): GraphProgram {
  let features: NamedTensors[string] | undefined;
  const forward: Forward = (...given) => {
    const outputs = run.model.forward(...given);
    features = outputs.features;
    return outputs;
  };
  const program = predictProgram({ ...run, model: { ...run.model, forward } }, batchSize);
  const predict: GraphFunction = (state, feeds, variants) => {
    const { logits } = program.functions.predict!(state, feeds, variants).outputs;
    return { state: {}, outputs: { logits: logits!, features: features! } };
  };
  return { ...program, functions: { ...program.functions, predict } };
}

/** A run's network, op by op in float32: the reference that every export is compared with. The backend must be loaded. */
export function openNetwork(run: TrainedRun): SynchronousNetwork {
  const { info, snapshot, composition, exif } = run;
  const { classes, imageShape, packShape, interpolation } = info;
  const program = classifierProgram(run, 1);
  const engine = createEagerEngine(program);
  try {
    restore(snapshot, composition, program, engine);
  } catch (error) {
    engine.dispose();
    throw error;
  }
  const signature = program.signatures[0]!;
  return {
    classes,
    imageShape,
    ...(packShape && { packShape }),
    ...(interpolation && { interpolation }),
    exif,
    run(images, count) {
      const shape = [count, ...imageShape];
      const outputs = engine.run({ ...signature, inputs: { images: { shape, dtype: 'uint8' } } }, { images });
      return { logits: outputs.logits as Float32Array, features: outputs.features as Float32Array };
    },
    dispose: engine.dispose,
  };
}
