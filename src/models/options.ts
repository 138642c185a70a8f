import { z } from 'zod';

/** Networks that ship with tailmix. */
export const modelNames = ['resnet32', 'resnet18', 'resnet50', 'small-cnn', 'mlp'] as const;
export type ModelName = (typeof modelNames)[number];

const head = {
  head: z
    .enum(['linear', 'cosine'])
    .default('linear')
    .describe('Classifier: `linear`, or `cosine` of features and class weights, times `scale` (LDAM’s head).'),
  bias: z.boolean().default(true).describe('Bias of a linear classifier; a cosine one never has it.'),
  scale: z
    .number()
    .positive()
    .default(1)
    .describe('Factor of the cosines; 1 leaves it to a loss that scales, as LDAM does. `head: cosine` only.'),
};

const network = <Name extends ModelName>(name: Name, width: number, what: string) =>
  z
    .strictObject({
      name: z.literal(name),
      width: z.int().positive().default(width).describe('Channels of the first stage.'),
      ...head,
    })
    .describe(what);

const mlp = z
  .strictObject({
    name: z.literal('mlp'),
    width: z.int().positive().default(128).describe('Units of each hidden layer.'),
    depth: z.int().positive().default(2).describe('Number of hidden layers.'),
    ...head,
  })
  .describe('Fully connected ReLU layers on the pixels.');

/** The `model` section of a run. */
export const modelOptions = z.discriminatedUnion('name', [
  network('resnet32', 16, 'ResNet-32 for small images, 0.46 M parameters: the network of the long-tail papers.'),
  network('resnet18', 64, 'ResNet-18 for small images (3×3 stem), 11.2 M parameters.'),
  network('resnet50', 64, 'ResNet-50 for ImageNet-sized images, torchvision’s.'),
  network('small-cnn', 16, 'Two convolutions with batch norm and a dense layer; quick on any backend.'),
  mlp,
]);
export type ModelOptions = z.output<typeof modelOptions>;
