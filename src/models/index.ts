import { imageTooSmall } from './errors.ts';
import { mobileNetV2 } from './mobilenet.ts';
import type { ModelName } from './model-names.ts';
import type { ModelOptions } from './options.ts';
import { imageNetResNet, resnet32, smallImageResNet } from './resnet.ts';
import { mlp, smallCnn } from './small.ts';
import type { Model, Task } from './types.ts';

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
  'mobilenet-v2': 32,
  'small-cnn': 4,
  mlp: 1,
};

/**
 * Makes a network of tailmix's own.
 *
 * @throws {TailmixError} MODEL_IMAGE_SIZE if the images are too small for it.
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
      return imageNetResNet(options.name, shared, task);
    case 'mobilenet-v2':
      return mobileNetV2(shared, task);
    case 'small-cnn':
      return smallCnn(shared, task);
    case 'mlp':
      return mlp({ ...shared, depth: options.depth }, task);
  }
}
