import type { z } from 'zod';
import { type BackendChoice, loadBackend } from '../backend/load.ts';
import { displayPath, messageOf, TailmixError } from '../errors.ts';
import { tf } from '../tf.ts';
import { type BackboneOptions, withClassifier } from './backbone/backbone.ts';
import { backboneUnreadable, layerUnknown } from './backbone/errors.ts';
import { readModelFiles } from './backbone/files.ts';
import { type GraphOptions, graphBackbone } from './backbone/graph-model.ts';
import { type LayersOptions, layersBackbone } from './backbone/layers-model.ts';
import { isModelChoice, type ModelChoice } from './definition.ts';
import { createModel } from './index.ts';
import { type BackboneModelOptions, type ModelSection, modelSection } from './options.ts';
import { checkedModel, createOwnModel, modelOf } from './own-model.ts';
import { withForm } from './published/form.ts';
import type { ImageTask, Model } from './types.ts';

/** What a run's model can be: options, a call of a model of the user's own, a model, or a function that makes one. */
export type ModelInput =
  | z.input<typeof modelSection>
  | ModelChoice
  | Model
  | ((task: ImageTask) => Model | Promise<Model>);

/**
 * Makes the model of a run.
 *
 * @param backend - that the run will have: a backbone is loaded into it.
 * @throws {TailmixError} MODEL_IMAGE_SIZE, MODEL_MODULE, BACKBONE_….
 */
export async function openModel(input: ModelInput, task: ImageTask, backend?: BackendChoice): Promise<Model> {
  if (typeof input === 'function') return modelOf(() => input(task), task, 'model', 'function');
  if (isModelChoice(input)) return createOwnModel(input, task);
  if (isModel(input)) return checkedModel(input, task, input.name ?? 'model', 'maker');
  const options = modelSection.parse(input);
  if (options.name !== 'layers-model' && options.name !== 'graph-model')
    return createModel(await withForm(options), task);
  await loadBackend(backend);
  return openBackbone(options, task);
}

const isModel = (input: ModelInput): input is Model => 'forward' in input;

type Start = Pick<ModelSection, 'init' | 'reset' | 'freeze' | 'frozenNorm'> & { weights?: unknown };

/** Where the options of a model say that its weights begin, and which of them are trained. */
export function startOf(input: ModelInput): Start {
  if (isModelChoice(input)) return input.options as Start;
  return typeof input === 'function' || isModel(input) ? {} : modelSection.parse(input);
}

/** A model whose weights begin elsewhere than its options say. */
export function withoutStart(input: ModelInput): ModelInput {
  if (typeof input === 'function' || isModel(input)) return input;
  const without = ({ init: _, reset: __, weights: ___, ...kept }: object & Start): object => kept;
  return isModelChoice(input)
    ? { ...input, options: without(input.options) as ModelChoice['options'] }
    : (without(modelSection.parse(input)) as ModelSection);
}

/**
 * A LayersModel of TensorFlow.js, loaded or made in code, as backbone of a new classifier. The model is not changed.
 *
 * @example
 * createTrainer({ model: (task) => layersModel(mobilenet, { pixels: 'signed', features: 'pool' }, task), … })
 * @throws {TailmixError} BACKBONE_….
 */
export const layersModel = (
  model: tf.LayersModel,
  options: Partial<BackboneOptions> & Pick<BackboneOptions, 'pixels'> & LayersOptions,
  task: ImageTask,
): Model => withClassifier(layersBackbone(model, options), { ...LINEAR, ...options }, task);

/**
 * A GraphModel of TensorFlow.js as a frozen extractor of features for a new classifier.
 *
 * @throws {TailmixError} BACKBONE_….
 */
export const graphModel = (
  model: tf.GraphModel,
  options: Partial<BackboneOptions> & Pick<BackboneOptions, 'pixels'> & GraphOptions,
  task: ImageTask,
): Model => withClassifier(graphBackbone(model, options, task), { ...LINEAR, ...options }, task);

const LINEAR = { head: 'linear', bias: true, scale: 1 } as const;

async function openBackbone(options: BackboneModelOptions, task: ImageTask): Promise<Model> {
  const { name, path, sha256 } = options;
  const { artifacts } = await readModelFiles(path, name, sha256);
  const handler = tf.io.fromMemory(artifacts);
  try {
    if (name === 'graph-model') {
      const model = await tf.loadGraphModel(handler);
      const made = graphModel(model, options, task);
      for (const tensor of Object.values(model.weights).flat()) tensor.dispose();
      return made;
    }
    const model = await tf.loadLayersModel(handler);
    const made = layersModel(model, options, task);
    for (const variable of model.weights) variable.dispose();
    return made;
  } catch (error) {
    if (error instanceof TailmixError) throw error;
    const unknown = /Unknown layer: (\S+?)\./.exec(messageOf(error));
    if (unknown) throw layerUnknown(displayPath(path), unknown[1]!);
    throw backboneUnreadable(displayPath(path), messageOf(error), error);
  }
}
