import type { NamedTensors } from '../../tf.ts';
import { tf } from '../../tf.ts';
import type { WeightSpec } from '../types.ts';
import type { Backbone } from './backbone.ts';
import { featuresNeeded, featuresUnknown, stageRefused } from './errors.ts';
import { callsFor } from './layer-calls.ts';
import { leafLayers, type PlacedLayer, refuseLayer } from './layers.ts';

/** Which part of a LayersModel is the backbone. */
export interface LayersOptions {
  /** Layer whose output are the features. Default: the model's last. */
  features?: string | undefined;
  /** Layers after which features can be mixed. */
  stages?: readonly string[] | undefined;
  /** Whether regularizers and constraints of layers are left out, or refused. */
  regularizers?: 'refuse' | 'ignore' | undefined;
}

/**
 * A LayersModel of TensorFlow.js as a pure function of its weights. Nothing in the model is changed by a forward pass:
 * its variables read what the step hands in, batch norms hand their averages out, dropout draws from the step's seed.
 *
 * Layers saved with `trainable: false` stay as they are: their weights count as statistics, their batch norms use the
 * averages.
 *
 * @throws {TailmixError} BACKBONE_FEATURES, BACKBONE_FEATURES_NEEDED, BACKBONE_LAYER, BACKBONE_STAGE.
 */
export function layersBackbone(whole: tf.LayersModel, options: LayersOptions = {}): Backbone {
  const { stages = [], regularizers = 'refuse' } = options;
  const output = featuresOf(whole, options.features);
  const model = tf.model({ inputs: whole.inputs, outputs: output });
  const layers = leafLayers(model);
  for (const layer of layers) refuseLayer(layer, regularizers === 'ignore');
  const stageLayers = stages.map((name) => stageLayer(model, output, name));
  const bound = bindings(layers);
  const { calls, random } = callsFor(layers, bound, stageLayers);
  const [, ...inputShape] = (whole.inputs[0]!.shape ?? []) as (number | null)[];
  return {
    name: whole.name,
    inputShape: whole.inputs.length === 1 ? inputShape : [],
    weights: bound.map(({ spec }) => spec),
    stages: inOrder(model, stages),
    features: { name: output.sourceLayer.name, shape: output.shape },
    random,
    apply(images, weights, pass, statistics) {
      const kept: NamedTensors = {};
      const put: { object: object; key: string }[] = [];
      const replace = (object: object, key: string, value: unknown): void => {
        put.push({ object, key });
        Object.assign(object, { [key]: value });
      };
      try {
        for (const { variable, spec } of bound) replace(variable, 'read', () => weights[spec.name]!);
        for (const { layer, call } of calls) replace(layer, 'call', call({ weights, pass, statistics: kept }));
        const features = model.apply(images, { training: pass.training }) as tf.Tensor;
        Object.assign(statistics, release(kept));
        return features;
      } finally {
        // Methods of the class show again.
        for (const { object, key } of put) Reflect.deleteProperty(object, key);
      }
    },
  };
}

/** Gives tensors that outlived the tidying of their layers to the scope that is open now. */
const release = (kept: NamedTensors): NamedTensors =>
  Object.fromEntries(
    Object.entries(kept).map(([name, tensor]) => {
      const released = tensor.clone();
      tensor.dispose();
      return [name, released];
    }),
  );

/** A variable of a layer, and what it is as a weight of the model. */
export interface Binding {
  layer: PlacedLayer;
  variable: tf.LayerVariable;
  spec: WeightSpec;
}

/** Names weights `<layer>/<weight>`, with the names of nested models before. */
function bindings(layers: readonly PlacedLayer[]): Binding[] {
  const taken = new Set<string>();
  return layers.flatMap((placed) => {
    const { layer, path } = placed;
    const trained = new Set(layer.trainableWeights);
    return layer.weights.map((variable): Binding => {
      const own = variable.originalName.split('/').at(-1)!;
      // `classifier` is the new head's.
      const base = `${path.startsWith('classifier') ? 'backbone/' : ''}${path}/${own}`;
      let name = base;
      for (let i = 2; taken.has(name); i++) name = `${base}_${i}`;
      taken.add(name);
      const values = Float32Array.from(variable.read().dataSync());
      const shape = variable.shape as number[];
      const kind = trained.has(variable) ? kindOf(own, shape) : 'statistic';
      return { layer: placed, variable, spec: { name, shape, kind, initial: () => values.slice() } };
    });
  });
}

function kindOf(name: string, shape: readonly number[]): WeightSpec['kind'] {
  if (name === 'gamma' || name === 'beta') return 'norm';
  return shape.length === 1 ? 'bias' : 'kernel';
}

/** The symbolic tensor of the features. */
function featuresOf(model: tf.LayersModel, wanted: string | undefined): tf.SymbolicTensor {
  const names = model.layers.map(({ name }) => name);
  if (wanted !== undefined) {
    const layer = model.layers.find(({ name }) => name === wanted);
    if (!layer) throw featuresUnknown(wanted, names);
    return one(layer.output);
  }
  if (model.outputs.length > 1) throw featuresNeeded(`${model.name} has ${model.outputs.length} outputs`, names);
  const [output] = model.outputs;
  if (isSoftmax(output!.sourceLayer)) {
    throw featuresNeeded(`${model.name} ends in a softmax over ${output!.shape.at(-1)} classes`, names);
  }
  return output!;
}

const one = (tensors: tf.SymbolicTensor | tf.SymbolicTensor[]): tf.SymbolicTensor =>
  Array.isArray(tensors) ? tensors[0]! : tensors;

function isSoftmax(layer: tf.layers.Layer): boolean {
  const { layers, activation } = layer as tf.layers.Layer & {
    layers?: tf.layers.Layer[];
    activation?: { getClassName?(): string };
  };
  if (layers) return isSoftmax(layers.at(-1)!);
  return layer.getClassName() === 'Softmax' || activation?.getClassName?.() === 'softmax';
}

/** A layer of `model.stages`: on every way from the images to the features, and only once. */
function stageLayer(model: tf.LayersModel, features: tf.SymbolicTensor, name: string): tf.layers.Layer {
  const layer = model.layers.find((own) => own.name === name);
  if (!layer) throw stageRefused(name, `is none of ${model.layers.map((own) => own.name).join(', ')}`);
  if (name === 'input' || name === 'features') throw stageRefused(name, 'has the name of a stage that there is');
  if (layer.inboundNodes.length > 1) throw stageRefused(name, `is used ${layer.inboundNodes.length} times`);
  const seen = new Set<number>();
  const isPassed = (tensor: tf.SymbolicTensor): boolean => {
    if (seen.has(tensor.id) || tensor.sourceLayer === layer) return false;
    seen.add(tensor.id);
    return tensor.inputs.length === 0 || tensor.inputs.some(isPassed);
  };
  if (isPassed(features)) throw stageRefused(name, 'is bypassed by a parallel branch');
  return layer;
}

/** Stages as they come; `layers` of a model is in order of depth. */
const inOrder = (model: tf.LayersModel, stages: readonly string[]): string[] =>
  model.layers.map(({ name }) => name).filter((name) => stages.includes(name));
