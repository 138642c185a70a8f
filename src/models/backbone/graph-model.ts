import { customGradient } from '../../backend/kernels/index.ts';
import { messageOf } from '../../errors.ts';
import type { NamedTensors } from '../../tf.ts';
import { tf } from '../../tf.ts';
import type { ImageTask, WeightSpec } from '../types.ts';
import { type Backbone, requireInput } from './backbone.ts';
import { featuresNeeded, featuresUnknown, graphDynamic } from './errors.ts';

/** What tfjs-converter keeps of a graph; its types say `private`. */
interface Executor {
  graph: { nodes: Record<string, GraphNode> };
  weightMap: Record<string, tf.Tensor[]>;
}

interface GraphNode {
  op: string;
  inputNames: string[];
  inputParams: Record<string, { type: string; inputIndexStart: number; inputIndexEnd?: number }>;
}

const NAME = 'graph-model';

/** Which part of a GraphModel is the backbone. */
export interface GraphOptions {
  /** Output or node whose value are the features. Default: the only output. */
  features?: string | undefined;
}

/**
 * A GraphModel of TensorFlow.js as a frozen extractor of features. Its float weights are statistics of the model, so that
 * the captured step holds them once; what decides shapes and axes stays with the graph.
 *
 * @throws {TailmixError} BACKBONE_FEATURES, BACKBONE_FEATURES_NEEDED, BACKBONE_INPUT, BACKBONE_GRAPH.
 */
export function graphBackbone(model: tf.GraphModel, { features: wanted }: GraphOptions, task: ImageTask): Backbone {
  const { executor } = model as unknown as { executor: Executor };
  const features = featuresOf(model, executor, wanted);
  const input = model.inputs[0]!;
  const [, ...lengths] = (input.shape ?? [null, null, null, null]).map((length) => (length! < 0 ? null : length!));
  const inputShape = model.inputs.length === 1 ? lengths : [];
  requireInput(NAME, inputShape, task);
  const { weights, constants } = weightsOf(executor);
  const run = (images: tf.Tensor, values: NamedTensors): tf.Tensor => {
    const before = executor.weightMap;
    executor.weightMap = Object.fromEntries(
      Object.keys(before).map((node) => [node, [values[nameOf(node)] ?? constants[node]!()]]),
    );
    try {
      const fed = input.dtype === 'int32' ? images.round().cast('int32') : images;
      return [model.execute({ [input.name]: fed }, features)].flat()[0]!;
    } catch (error) {
      throw graphDynamic('the graph', messageOf(error));
    } finally {
      executor.weightMap = before;
    }
  };
  return {
    name: NAME,
    inputShape,
    weights,
    stages: [],
    features: { name: features, shape: shapeOf(model, features) ?? tryShape(run, weights, task) },
    random: false,
    apply(images, values) {
      // As one operation without a gradient, so that nothing in it is kept for one.
      const frozen = customGradient(([x]) => ({
        value: run(x!, values),
        gradFunc: () => tf.zerosLike(x!),
      }));
      return frozen(images);
    },
  };
}

/** `classifier` is the new head's. */
const nameOf = (node: string): string => `graph/${node}`;

/** Weights as numbers that a step works with, and as constants of the host for what the graph must know beforehand. */
function weightsOf({ graph, weightMap }: Executor): {
  weights: WeightSpec[];
  constants: Record<string, () => tf.Tensor>;
} {
  const read = readOnHost(graph.nodes);
  const weights: WeightSpec[] = [];
  const constants: Record<string, () => tf.Tensor> = {};
  for (const [node, [tensor]] of Object.entries(weightMap)) {
    const { shape, dtype } = tensor!;
    const values = tensor!.dataSync().slice() as Float32Array;
    if (dtype === 'float32' && !read.has(node)) {
      weights.push({ name: nameOf(node), shape, kind: 'statistic', initial: () => values.slice() });
    } else constants[node] = () => tf.tensor(values.slice(), shape, dtype);
  }
  return { weights, constants };
}

/** Nodes whose values TensorFlow.js reads to know what to run: axes, shapes, limits. */
function readOnHost(nodes: Readonly<Record<string, GraphNode>>): Set<string> {
  const sources = Object.values(nodes).flatMap(({ inputNames, inputParams }) =>
    Object.values(inputParams)
      .filter(({ type, inputIndexStart }) => type !== 'tensor' && type !== 'tensors' && inputIndexStart !== undefined)
      .map(({ inputIndexStart: at }) => inputNames[at < 0 ? inputNames.length + at : at] ?? ''),
  );
  return new Set(sources.map((name) => name.split(':')[0]!));
}

function featuresOf(model: tf.GraphModel, { graph }: Executor, wanted: string | undefined): string {
  const outputs = model.outputs.map(({ name }) => name.replace(/:0$/, ''));
  const known = [...Object.keys(graph.nodes).filter((node) => !outputs.includes(node)), ...outputs];
  if (wanted !== undefined) {
    if (!graph.nodes[wanted]) throw featuresUnknown(wanted, known);
    return wanted;
  }
  const [only, ...others] = outputs;
  if (only === undefined || others.length > 0) throw featuresNeeded(`the graph has ${outputs.length} outputs`, known);
  const isSoftmax = (node: GraphNode | undefined): boolean =>
    node?.op === 'Softmax' || (node?.op === 'Identity' && isSoftmax(graph.nodes[node.inputNames[0]!]));
  if (isSoftmax(graph.nodes[only])) throw featuresNeeded('the graph ends in a softmax', known);
  return only;
}

/** As the file says of an output; null where a length beside the number of images is open. */
function shapeOf(model: tf.GraphModel, name: string): (number | null)[] | null {
  const shape = model.outputs.find((output) => output.name.replace(/:0$/, '') === name)?.shape;
  if (!shape || shape.length < 2 || shape.slice(1).some((length) => length === null || length < 0)) return null;
  return [null, ...shape.slice(1)];
}

/** Runs the graph once, on a black image. */
function tryShape(
  run: (images: tf.Tensor, values: NamedTensors) => tf.Tensor,
  weights: readonly WeightSpec[],
  { imageShape }: ImageTask,
): (number | null)[] {
  const features = tf.tidy(() => {
    const values = weights.map(({ name, shape, initial }) => [
      name,
      tf.tensor(initial(undefined as never), [...shape]),
    ]);
    return run(tf.zeros([1, ...imageShape]), Object.fromEntries(values));
  });
  features.dispose();
  return [null, ...features.shape.slice(1)];
}
