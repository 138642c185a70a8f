/** Networks whose weights others publish. */
export const publishedNames = [
  'resnet18',
  'resnet34',
  'resnet50',
  'resnet101',
  'resnext50-32x4d',
  'mobilenet-v2',
  'convnext-tiny',
  'vit-tiny-16',
  'vit-small-16',
  'vit-base-16',
  'vit-small-14',
  'vit-base-14',
] as const;
export type PublishedName = (typeof publishedNames)[number];

export const isPublished = (name: string): name is PublishedName =>
  (publishedNames as readonly string[]).includes(name);

/** Networks that ship with tailmix. */
export const modelNames = [
  'resnet32',
  'resnet18-cifar',
  'resnet34-cifar',
  ...publishedNames,
  'small-cnn',
  'mlp',
] as const;
export type ModelName = (typeof modelNames)[number];
