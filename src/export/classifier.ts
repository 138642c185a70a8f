import { withStandardOps } from '../backend/kernels/index.ts';
import type { Backend } from '../backend/load.ts';
import type { Interpolation } from '../data/transforms/resample.ts';
import {
  createShapeInference,
  DT,
  dropUnused,
  foldNorm,
  type GraphFunction,
  mergeEqual,
  type Recording,
  rebuild,
  toStandardConvolutions,
  trace,
} from '../graph/index.ts';
import { currentOwner } from '../step/owner.ts';
import { tf } from '../tf.ts';
import { restore } from '../train/open-run.ts';
import { classifierProgram } from '../trained/network.ts';
import type { TrainedRun } from '../trained/open.ts';
import { version } from '../version.ts';
import { forAnyBatch } from './any-batch.ts';
import { exportBackend } from './errors.ts';
import { bytesOf, foldConstants } from './fold-constants.ts';

/** A trained classifier as one graph without state: images in, logits and probabilities out. */
export interface Classifier {
  /**
   * One input, `images` `[any, height, width, channels]` uint8, which a Cast to float32 takes; outputs `logits` and
   * `probabilities` `[any, C]`, `features` `[any, D]`, float32. Shapes have −1 for the number of images.
   */
  recording: Recording;
  /** `[height, width, channels]`. */
  imageShape: readonly [number, number, number];
  /** What the run's images were scaled to before their centre of `imageShape` was cut out; `imageShape` by default. */
  packShape?: readonly [number, number, number];
  /** How photos are scaled; `bilinear` by default. */
  interpolation?: Interpolation;
  /** In label order. */
  classes: readonly string[];
  /** What to write beside the graph: where it comes from. */
  about: { name: string; dataset: string; epoch: number; model: string; tailmix: string };
}

/** Batch sizes that the prediction is recorded with, to see what depends on them; numbers that nothing else has. */
const SIZES = [13, 17] as const;

/**
 * Records a run's prediction, plugins and normalisation included, with the weights of its newest checkpoint.
 *
 * @throws {TailmixError} EXPORT_BACKEND, EXPORT_BATCH, SNAPSHOT_MISMATCH, and what cannot be captured.
 */
export function recordClassifier(run: TrainedRun, { binding, name }: Backend): Classifier {
  if (binding === undefined) throw exportBackend(name);
  const { info, model, snapshot, composition } = run;
  const shapes = createShapeInference(binding);
  const [first, second] = SIZES.map((size): Recording => {
    const program = classifierProgram(run, size);
    const values: Record<string, Float32Array> = {};
    restore(snapshot, composition, program, { write: (state) => Object.assign(values, state) });
    const classify: GraphFunction = (state, feeds, variants) => {
      const { logits, features } = withStandardOps(() => program.functions.predict!(state, feeds, variants).outputs);
      return { state: {}, outputs: { logits: logits!, probabilities: tf.softmax(logits!), features: features! } };
    };
    const recorded = dropUnused(
      trace(classify, program.signatures[0]!, { shapes, state: program.state, owner: currentOwner }),
    );
    const standard = toStandardConvolutions(recorded);
    return foldConstants(mergeEqual(withWeights(foldNorm(standard), values)), binding);
  });
  return {
    recording: forAnyBatch(first!, second!),
    imageShape: info.imageShape,
    ...(info.packShape && { packShape: info.packShape }),
    ...(info.interpolation && { interpolation: info.interpolation }),
    classes: info.classes,
    about: {
      name: info.name,
      dataset: info.dataset,
      epoch: snapshot.epoch,
      model: model.name,
      tailmix: version,
    },
  };
}

/** State as constants. */
const withWeights = (recording: Recording, values: Readonly<Record<string, Float32Array>>): Recording =>
  rebuild(recording, (node, _, keep) =>
    keep(
      node.kind === 'state'
        ? {
            kind: 'constant',
            outputs: [{ shape: node.outputs[0]!.shape, dtype: DT.float32 }],
            value: bytesOf(values[node.name]!),
          }
        : node,
    ),
  );
