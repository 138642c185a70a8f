import type { tf } from '../tf.ts';
import { type Block, type BlockOptions, basicBlock, bottleneck, projection, subsampling } from './blocks.ts';
import { kaimingNormal, uniform } from './init.ts';
import { type ConvolutionOptions, convolutionNormRelu, type Layer, sequence, stateless } from './layers.ts';
import { blocks, type NetworkOptions, network } from './network.ts';
import type { Model, Task } from './types.ts';

/** Options that the residual networks share; `width` is the number of channels of the first stage. */
export interface ResNetOptions {
  width: number;
  head: NetworkOptions['head'];
}

/**
 * ResNet-32 for small images, as LDAM and most long-tail papers have it: three stages of five basic blocks with
 * 16, 32 and 64 channels, shortcuts without weights (option A), Kaiming-normal kernels. 0.46 M parameters.
 */
export function resnet32({ width, head }: ResNetOptions, { classes, imageShape }: Task): Model {
  const stem = convolutionNormRelu('stem', { in: imageShape[2], out: width });
  const block = basicBlock(subsampling);
  return network({
    name: 'resnet32',
    stages: residualStages(stem, block, { in: width, widths: [width, 2 * width, 4 * width], depths: [5, 5, 5] }),
    channels: 4 * width,
    head,
    classes,
  });
}

/** Blocks of each stage, by the network's depth (He et al. 2016, table 1). */
const imagenet = {
  resnet18: { block: basicBlock, depths: [2, 2, 2, 2], expansion: 1 },
  resnet34: { block: basicBlock, depths: [3, 4, 6, 3], expansion: 1 },
  resnet50: { block: bottleneck, depths: [3, 4, 6, 3], expansion: 4 },
  resnet101: { block: bottleneck, depths: [3, 4, 23, 3], expansion: 4 },
  'resnext50-32x4d': { block: bottleneck, depths: [3, 4, 6, 3], expansion: 4, narrow: 2 },
} as const;

const fourWidths = (width: number): number[] => [width, 2 * width, 4 * width, 8 * width];

/**
 * ResNet-18 or ResNet-34 for small images (3×3 stem, no pooling after it): four stages of basic blocks with 64 to 512
 * channels, projection shortcuts, PyTorch's default initial values, as the public CINIC-10 runs have it.
 */
export function smallImageResNet(
  name: 'resnet18-cifar' | 'resnet34-cifar',
  { width, head }: ResNetOptions,
  { classes, imageShape }: Task,
): Model {
  const initial: ConvolutionOptions['initial'] = (shape, fans) => uniform(shape, fans.in);
  const stem = convolutionNormRelu('stem', { in: imageShape[2], out: width, initial });
  const { depths } = imagenet[name === 'resnet18-cifar' ? 'resnet18' : 'resnet34'];
  const widths = fourWidths(width);
  return network({
    name,
    stages: residualStages(stem, basicBlock(projection), { in: width, widths, depths, initial }),
    channels: 8 * width,
    head: { ...head, initial: uniform },
    classes,
  });
}

/**
 * A ResNet for ImageNet-sized images, torchvision's: 7×7 stem with stride 2, max pooling, four stages of basic blocks or
 * bottlenecks, kernels Kaiming-normal of the fan-out. A ResNeXt's 3×3 convolutions have a group for every two channels of
 * `width`: 32 groups of 4 channels in the first stage of ResNeXt-50 (32×4d, Xie et al. 2017).
 */
export function imageNetResNet(
  name: keyof typeof imagenet,
  { width, head }: ResNetOptions,
  { classes, imageShape }: Task,
): Model {
  const initial: ConvolutionOptions['initial'] = (shape, fans) => kaimingNormal(shape, fans.out);
  const stem = sequence(
    convolutionNormRelu('stem', { in: imageShape[2], out: width, size: 7, stride: 2, initial }),
    stateless(maxPool),
  );
  const { block, expansion, ...shape } = imagenet[name];
  const groups = 'narrow' in shape ? width / 2 : 1;
  const table = { in: width, widths: fourWidths(width), expansion, initial, ...shape, groups };
  return network({
    name,
    stages: residualStages(stem, block(projection), table),
    channels: 8 * width * expansion,
    head: { ...head, initial: uniform },
    classes,
  });
}

interface StageTable extends Pick<BlockOptions, 'groups' | 'narrow' | 'initial'> {
  /** Channels that the stem gives. */
  in: number;
  /** Of each stage. */
  widths: readonly number[];
  /** Blocks of each stage. */
  depths: readonly number[];
  /** Channels that a block gives, over its width. */
  expansion?: number;
}

/** The stages of a residual network, the stem in the first; each but the first halves height and width. */
function residualStages(
  stem: Layer,
  block: Block,
  { in: stemChannels, widths, depths, expansion = 1, ...rest }: StageTable,
): Layer[] {
  return widths.map((width, i) => {
    const before = i === 0 ? stemChannels : widths[i - 1]! * expansion;
    const stage = blocks(`stage${i + 1}`, depths[i]!, (name, { first }) =>
      block(name, { in: first ? before : width * expansion, width, stride: first && i > 0 ? 2 : 1, ...rest }),
    );
    return i === 0 ? sequence(stem, stage) : stage;
  });
}

/**
 * 3×3 maximum with stride 2, padded by one on all sides as in PyTorch. Zeros pad as well as minus infinity does,
 * because a ReLU comes before.
 */
const maxPool = (x: tf.Tensor): tf.Tensor =>
  x
    .pad([
      [0, 0],
      [1, 1],
      [1, 1],
      [0, 0],
    ])
    .maxPool(3, 2, 'valid');
