import type { TensorFlowBinding } from '../backend/binding.ts';
import type { Backend } from '../backend/load.ts';
import { messageOf } from '../errors.ts';
import { openSession } from '../graph/index.ts';
import { randomStream } from '../random.ts';
import { tf } from '../tf.ts';
import type { SynchronousNetwork } from '../trained/network.ts';
import type { TrainedRun } from '../trained/open.ts';
import { predictLogits } from '../trained/predict.ts';
import { concatenate } from '../util/concatenate.ts';
import { sizeOf } from '../util/shape.ts';
import type { Classifier } from './classifier.ts';
import { exportDiffers, opNotMapped } from './errors.ts';
import type { ExportedFile } from './files.ts';
import { PORTS } from './graph-nodes.ts';
import { savedModel } from './saved-model.ts';

/** An exported classifier that runs here. */
export type OpenModel = Pick<SynchronousNetwork, 'run' | 'dispose'>;

/** How well two classifiers agree. */
export interface Agreement {
  /** Largest difference between the logits of the exported graph and of the run, on random images. */
  difference: number;
  /** Largest of the run's logits there. */
  largest: number;
}

/** Logits may differ by this share of the largest: float32, summed in another order. */
const TOLERANCE = 1e-4;

/** The graph in a session of TensorFlow. */
export function openGraph(classifier: Classifier, { binding }: Backend): OpenModel {
  const [file] = savedModel(classifier);
  return openSavedModel(file!.content as Uint8Array, classifier.imageShape, binding!);
}

/** The content of `saved_model.pb` in a session of TensorFlow. */
export function openSavedModel(
  graph: Uint8Array,
  imageShape: readonly number[],
  binding: TensorFlowBinding,
): OpenModel {
  const session = openSession(binding, graph);
  return {
    run(images, count) {
      const feed = { name: `${PORTS.images}:0`, shape: [count, ...imageShape], values: images };
      const [logits, features] = session.run([feed], [`${PORTS.logits}:0`, `${PORTS.features}:0`]);
      return { logits: logits!.values as Float32Array, features: features!.values as Float32Array };
    },
    dispose: session.dispose,
  };
}

/** The files of a graph model as TensorFlow.js loads them. */
export async function openTfjs(files: readonly ExportedFile[], imageShape: readonly number[]): Promise<OpenModel> {
  const { weightsManifest, ...rest } = JSON.parse(String(files[0]!.content)) as tf.io.ModelJSON;
  const weights = Buffer.concat(
    weightsManifest.flatMap(({ paths }) =>
      paths.map((path) => files.find((file) => file.path === path)!.content as Uint8Array),
    ),
  );
  const artifacts = {
    ...rest,
    weightSpecs: weightsManifest.flatMap((group) => group.weights),
    weightData: Uint8Array.from(weights).buffer,
  };
  const model = await tf.loadGraphModel(tf.io.fromMemory(artifacts as tf.io.ModelArtifacts));
  return {
    run(images, count) {
      try {
        return tf.tidy(() => {
          const fed = tf.tensor(Float32Array.from(images), [count, ...imageShape]);
          const outputs = model.execute({ [PORTS.images]: fed }, [PORTS.logits, PORTS.features]) as tf.Tensor[];
          const [logits, features] = outputs.map((output) => output.dataSync().slice() as Float32Array);
          return { logits: logits!, features: features! };
        });
      } catch (error) {
        const op = /Unknown op '(\w+)'/.exec(messageOf(error))?.[1];
        throw op === undefined ? error : opNotMapped('TensorFlow.js', op, '', undefined);
      }
    },
    dispose: () => model.dispose(),
  };
}

/**
 * Runs a model on one and on three random images, as the run itself does; the model is disposed.
 *
 * @throws {TailmixError} EXPORT_DIFFERS
 */
export function compareLogits(run: TrainedRun, model: OpenModel): Agreement {
  const { imageShape } = run.info;
  const size = sizeOf(imageShape);
  const random = randomStream('export');
  const images = Array.from({ length: 3 }, () => Uint8Array.from({ length: size }, () => 256 * random.uniform()));
  const logitsOf = (rows: readonly Uint8Array[]): Float32Array =>
    model.run(concatenate(Uint8Array, rows), rows.length).logits;
  try {
    const got = [...logitsOf(images.slice(0, 1)), ...logitsOf(images)];
    const own = predictLogits(run, images);
    const expected = [own[0]!, ...own].flatMap((logits) => [...logits]);
    const largest = Math.max(...expected.map(Math.abs));
    const difference = Math.max(...expected.map((logit, i) => Math.abs(logit - got[i]!)));
    if (!(difference <= TOLERANCE * largest)) throw exportDiffers(difference, largest);
    return { difference, largest };
  } finally {
    model.dispose();
  }
}
