import { convNextTiny } from './convnext.ts';
import { activationUnknown, imageTooSmall, patchesDoNotFit } from './errors.ts';
import { mobileNetV2 } from './mobilenet.ts';
import type { ModelName } from './model-names.ts';
import type { ModelOptions } from './options.ts';
import { imageNetResNet, resnet32, smallImageResNet } from './resnet.ts';
import { mlp, smallCnn } from './small.ts';
import type { Model, Task } from './types.ts';
import { visionTransformer } from './vit.ts';
import { type VisionTransformerName, visionTransformers } from './vit-forms.ts';

export { type ModelName, modelNames } from './model-names.ts';
export { type ModelOptions, modelOptions } from './options.ts';
export type { Task } from './types.ts';

/** Smallest side of an image that still has a pixel to halve at every stride. */
const smallestImage: Readonly<Record<ModelName, number>> = {
  resnet32: 4,
  'resnet18-cifar': 8,
  'resnet34-cifar': 8,
  resnet18: 32,
  resnet34: 32,
  resnet50: 32,
  resnet101: 32,
  'resnext50-32x4d': 32,
  'mobilenet-v2': 32,
  'convnext-tiny': 32,
  'vit-tiny-16': 16,
  'vit-small-16': 16,
  'vit-base-16': 16,
  'vit-small-14': 14,
  'vit-base-14': 14,
  'small-cnn': 4,
  mlp: 1,
};

/**
 * Makes a network of tailmix's own.
 *
 * @throws {TailmixError} MODEL_IMAGE_SIZE if the images are too small for it, or no whole number of patches; MODEL_ACTIVATION.
 */
export function createModel(options: ModelOptions, task: Task): Model {
  const [height, width] = task.imageShape;
  const smallest = smallestImage[options.name];
  if (Math.min(height, width) < smallest) throw imageTooSmall(options.name, smallest, height, width);
  const { head, bias, scale } = options;
  const shared = { width: options.width, head: { head, bias, scale } };
  switch (options.name) {
    case 'resnet32':
      return resnet32(shared, task);
    case 'resnet18-cifar':
    case 'resnet34-cifar':
      return smallImageResNet(options.name, shared, task);
    case 'resnet18':
    case 'resnet34':
    case 'resnet50':
    case 'resnet101':
    case 'resnext50-32x4d':
      return imageNetResNet(options.name, shared, task);
    case 'mobilenet-v2':
      return mobileNetV2(shared, task);
    case 'convnext-tiny':
      return convNextTiny(shared, task);
    case 'vit-tiny-16':
    case 'vit-small-16':
    case 'vit-base-16':
    case 'vit-small-14':
    case 'vit-base-14':
      return openVisionTransformer(options, task);
    case 'small-cnn':
      return smallCnn(shared, task);
    case 'mlp':
      return mlp({ ...shared, depth: options.depth }, task);
  }
}

/** A Vision Transformer; what neither options nor a file of weights say is as in the paper. */
function openVisionTransformer(
  { name, head, bias, scale, ...options }: Extract<ModelOptions, { name: VisionTransformerName }>,
  task: Task,
): Model {
  const { patch } = visionTransformers[name];
  const [height, width] = task.imageShape;
  if (height % patch !== 0 || width % patch !== 0) throw patchesDoNotFit(name, patch, height, width);
  const { preNorm = false, layerScale = false, registers = 0, classPosition = true, activation } = options;
  if (preNorm && activation === undefined) throw activationUnknown(name);
  const form = { preNorm, layerScale, registers, classPosition, activation: activation ?? 'gelu' };
  return visionTransformer(name, { ...options, ...form, head: { head, bias, scale } }, task);
}
