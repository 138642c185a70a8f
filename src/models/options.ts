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

const weightNames = () => z.array(z.string().min(1));

/** Where weights begin, and which of them are trained. */
export const transferOptions = {
  init: z
    .union([
      z.string().min(1),
      z.strictObject({
        run: z.string().min(1).describe('Run directory, name of a run, or checkpoint file.'),
        sha256: z
          .string()
          .regex(/^[0-9a-f]{64}$/)
          .optional()
          .describe('Checksum of its weights. Filled in when the run begins, and checked from then on.'),
      }),
    ])
    .optional()
    .describe(
      'Run (directory, name, or one of its checkpoint files) whose weights and batch norm statistics to start from. Default: drawn from the seed.',
    ),
  reset: weightNames()
    .optional()
    .describe(
      'Weights that are drawn anew, not taken from `init`: `classifier`, `backbone` (all else), or how their names begin, for example `stage3`. Default: none.',
    ),
  freeze: weightNames().optional().describe('Weights that stay as they are; named as in `reset`. Default: none.'),
  frozenNorm: z
    .enum(['batch', 'running'])
    .optional()
    .describe(
      'Frozen batch norms: `batch` normalises by the batch and goes on averaging; `running` uses the averages, which stay. Default: batch, as cRT and LWS were published (methods.md D20).',
    ),
};

const network = <Name extends ModelName>(name: Name, width: number, what: string) =>
  z
    .strictObject({
      name: z.literal(name),
      width: z.int().positive().default(width).describe('Channels of the first stage.'),
      ...head,
      ...transferOptions,
    })
    .describe(what);

const mlp = z
  .strictObject({
    name: z.literal('mlp'),
    width: z.int().positive().default(128).describe('Units of each hidden layer.'),
    depth: z.int().positive().default(2).describe('Number of hidden layers.'),
    ...head,
    ...transferOptions,
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
