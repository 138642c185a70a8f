import { z } from 'zod';
import { pixelRanges } from './backbone/pixels.ts';
import type { ModelName } from './model-names.ts';
import { type VisionTransformerName, visionTransformers } from './vit-forms.ts';

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

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

const weightNames = () => z.array(z.string().min(1));

/** Where weights begin, and which of them are trained: options of every model. */
export const transferOptions = {
  init: z
    .union([
      z.string().min(1),
      z.strictObject({
        run: z.string().min(1).describe('Run directory, name of a run, or checkpoint file.'),
        sha256: sha256
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
      'Weights that are reinitialized, not taken from `init` or `weights`: `classifier`, `backbone` (all else), or how their names begin, for example `stage3`. Default: none.',
    ),
  freeze: weightNames().optional().describe('Weights that stay as they are; named as in `reset`. Default: none.'),
  frozenNorm: z
    .enum(['batch', 'running'])
    .optional()
    .describe(
      'Frozen batch norms: `batch` normalises by the batch and keeps updating the averages; `running` uses the averages and leaves them unchanged. Default: batch, as in the published code of cRT and LWS.',
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

const weights = z
  .union([
    z.string().min(1),
    z.strictObject({
      file: z.string().min(1).describe('A .safetensors, .safetensors.index.json, .pth, .pt or .bin file.'),
      sha256: sha256
        .optional()
        .describe('Checksum of the file. Filled in when the run begins, and checked from then on.'),
    }),
  ])
  .optional()
  .describe(
    'File of published weights to start from (torchvision’s or timm’s names), relative to this file. The classifier is taken if it has the same number of classes, a linear head and a bias like the model here. Default: drawn from the seed.',
  );

/** A network whose weights others publish. */
const published = <Name extends ModelName>(name: Name, width: number, what: string) =>
  z.strictObject({ ...network(name, width, what).shape, weights }).describe(what);

const resNext = z
  .strictObject({
    ...published('resnext50-32x4d', 64, '').shape,
    width: z.int().positive().multipleOf(2).default(64).describe('Channels of the first stage; half as many groups.'),
  })
  .describe('ResNeXt-50 (32×4d) for ImageNet-sized images, torchvision’s and timm’s, 25.0 M parameters.');

const mobileNet = z
  .strictObject({
    ...network('mobilenet-v2', 1, '').shape,
    width: z.number().positive().default(1).describe('Multiplies all channels, rounded to multiples of 8.'),
    weights,
  })
  .describe('MobileNetV2 for ImageNet-sized images, torchvision’s and timm’s, 3.5 M parameters.');

/** What of a Vision Transformer its file of weights decides. */
const asInFile = 'Default: as `weights` has it; without a file ';

const visionTransformer = <Name extends VisionTransformerName>(name: Name, what: string) => {
  const { heads, width } = visionTransformers[name];
  return z
    .strictObject({
      ...network(name, width, '').shape,
      width: z
        .int()
        .positive()
        .multipleOf(heads)
        .default(width)
        .describe(`Length of a token, a multiple of the ${heads} heads.`),
      depth: z.int().positive().default(12).describe('Number of blocks.'),
      activation: z
        .enum(['gelu', 'quick-gelu'])
        .optional()
        .describe(
          'GELU, or `quick-gelu` as in OpenAI’s CLIP (`x·σ(1.702x)`), which a file of weights does not show: needed with those of CLIP. Default: gelu.',
        ),
      preNorm: z
        .boolean()
        .optional()
        .describe(
          `CLIP’s form: a layer norm before the first block, patches without a bias, an epsilon of 1e-5. ${asInFile}false.`,
        ),
      layerScale: z
        .boolean()
        .optional()
        .describe(`Whether the branches of blocks are multiplied by vectors, as DINOv2 has it. ${asInFile}false.`),
      registers: z
        .int()
        .min(0)
        .optional()
        .describe(`Register tokens after the class token, which are dropped in the end. ${asInFile}0.`),
      classPosition: z
        .boolean()
        .optional()
        .describe(`Whether the class token has a position embedding. ${asInFile}true.`),
      weights,
    })
    .describe(what);
};

const mlp = z
  .strictObject({
    name: z.literal('mlp'),
    width: z.int().positive().default(128).describe('Units of each hidden layer.'),
    depth: z.int().positive().default(2).describe('Number of hidden layers.'),
    ...head,
    ...transferOptions,
  })
  .describe('Fully connected ReLU layers on the pixels.');

const backbone = {
  path: z
    .string()
    .min(1)
    .describe('The model.json of TensorFlow.js, with its weight files in the same folder; relative to this file.'),
  sha256: sha256.optional().describe('Checksum of its files. Filled in when the run begins, and checked from then on.'),
  pixels: z
    .enum(pixelRanges)
    .describe(
      'Pixel values that the model was trained on: `bytes` 0…255, `unit` 0…1, `signed` −1…1, or `normalised` by the data’s mean and std.',
    ),
  ...head,
  ...transferOptions,
};

const layersModel = z
  .strictObject({
    name: z.literal('layers-model'),
    ...backbone,
    features: z
      .string()
      .min(1)
      .optional()
      .describe('Layer whose output the new classifier starts from. Default: the last one.'),
    stages: z
      .array(z.string().min(1))
      .optional()
      .describe('Layers after which features can be mixed, in addition to `input` and `features`. Default: none.'),
    regularizers: z
      .enum(['refuse', 'ignore'])
      .default('refuse')
      .describe('What regularizers and constraints of layers do, which a step does not apply.'),
    frozenNorm: transferOptions.frozenNorm
      .unwrap()
      .default('running')
      .describe(
        'Frozen batch norms: `running`, as in Keras, uses the averages and leaves them; `batch` keeps averaging.',
      ),
  })
  .describe('A LayersModel of TensorFlow.js as backbone of a new classifier; all of it is trained unless frozen.');

const graphModel = z
  .strictObject({
    name: z.literal('graph-model'),
    ...backbone,
    features: z
      .string()
      .min(1)
      .optional()
      .describe('Output or node that the new classifier starts from. Default: the only output.'),
  })
  .describe('A GraphModel of TensorFlow.js as a frozen extractor of features for a new classifier.');

const networks = [
  network('resnet32', 16, 'ResNet-32 for small images, 0.46 M parameters: the network of the long-tail papers.'),
  network('resnet18-cifar', 64, 'ResNet-18 for small images (3×3 stem, no pooling), 11.2 M parameters.'),
  network('resnet34-cifar', 64, 'ResNet-34 for small images (3×3 stem, no pooling), 21.3 M parameters.'),
  published('resnet18', 64, 'ResNet-18 for ImageNet-sized images, torchvision’s and timm’s, 11.7 M parameters.'),
  published('resnet34', 64, 'ResNet-34 for ImageNet-sized images, torchvision’s and timm’s, 21.8 M parameters.'),
  published('resnet50', 64, 'ResNet-50 for ImageNet-sized images, torchvision’s and timm’s, 25.6 M parameters.'),
  published('resnet101', 64, 'ResNet-101 for ImageNet-sized images, torchvision’s and timm’s, 44.5 M parameters.'),
  resNext,
  mobileNet,
  published('convnext-tiny', 96, 'ConvNeXt-T for ImageNet-sized images, timm’s and torchvision’s, 28.6 M parameters.'),
  visionTransformer('vit-tiny-16', 'ViT-Ti/16 (Vision Transformer, patches of 16×16 pixels), 5.7 M parameters.'),
  visionTransformer('vit-small-16', 'ViT-S/16 (Vision Transformer, patches of 16×16 pixels), 22.1 M parameters.'),
  visionTransformer('vit-base-16', 'ViT-B/16 (Vision Transformer, patches of 16×16 pixels), 86.6 M parameters.'),
  visionTransformer('vit-small-14', 'ViT-S/14 (Vision Transformer, patches of 14×14 pixels), 22.1 M parameters.'),
  visionTransformer('vit-base-14', 'ViT-B/14 (Vision Transformer, patches of 14×14 pixels), 86.6 M parameters.'),
  network('small-cnn', 16, 'Two convolutions with batch norm and a dense layer; quick on any backend.'),
  mlp,
] as const;

/** Options of a network of tailmix's own. */
export const modelOptions = z.discriminatedUnion('name', networks);
export type ModelOptions = z.output<typeof modelOptions>;

/** The `model` section of a run, but for models in files of the user's own, which have options of their own. */
export const modelSection = z.discriminatedUnion('name', [...networks, layersModel, graphModel]);
export type ModelSection = z.output<typeof modelSection>;
/** Whether a name of `model` is one of tailmix's own, and no file or package. */
export const isBuiltIn = (name: string): boolean =>
  [...modelSection.options].some((option) => option.shape.name.value === name);

export type BackboneModelOptions = z.output<typeof layersModel> | z.output<typeof graphModel>;
