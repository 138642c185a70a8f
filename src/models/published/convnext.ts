import { type Dialect, layerNames, type Modules } from './names.ts';

/** Module of a stage or a block, counted from 0, and of the layers in it. */
interface Names {
  library: string;
  stem: Modules;
  norm: string;
  classifier: string;
  block(stage: number, block: number): string;
  downsample(stage: number): string;
  /** In a block. */
  depthwise: string;
  blockNorm: string;
  expand: string;
  project: string;
  scale: string;
}

function dialect({ library, ...names }: Names, partOf?: Dialect['partOf']): Dialect {
  const named = layerNames(library, (layer) => {
    if (layer === 'stem') return names.stem;
    if (layer === 'norm') return { main: names.norm };
    if (layer === 'classifier') return { main: names.classifier };
    const [, stage, block, part] = /^stage(\d+)\/(?:block(\d+)|downsample)(?:\/(?:mlp\/)?(\w+))?$/.exec(layer)!;
    if (block === undefined) {
      const at = names.downsample(Number(stage) - 1);
      return { main: `${at}.1`, norm: `${at}.0` };
    }
    const at = names.block(Number(stage) - 1, Number(block) - 1);
    const own = names[(part ?? 'blockNorm') as 'depthwise' | 'blockNorm' | 'expand' | 'project'];
    return { main: `${at}.${own}` };
  });
  return {
    library,
    nameOf(weight) {
      const scale = /^stage(\d+)\/block(\d+)\/scale$/.exec(weight);
      if (!scale) return named.nameOf(weight);
      return `${names.block(Number(scale[1]) - 1, Number(scale[2]) - 1)}.${names.scale}`;
    },
    ...(partOf && { partOf }),
  };
}

const timm = dialect({
  library: 'timm',
  stem: { main: 'stem.0', norm: 'stem.1' },
  norm: 'head.norm',
  classifier: 'head.fc',
  block: (stage, block) => `stages.${stage}.blocks.${block}`,
  downsample: (stage) => `stages.${stage}.downsample`,
  depthwise: 'conv_dw',
  blockNorm: 'norm',
  expand: 'mlp.fc1',
  project: 'mlp.fc2',
  scale: 'gamma',
});

/** Its layer scale is `[channels, 1, 1]`. */
const torchvision = dialect(
  {
    library: 'torchvision',
    stem: { main: 'features.0.0', norm: 'features.0.1' },
    norm: 'classifier.0',
    classifier: 'classifier.2',
    block: (stage, block) => `features.${2 * stage + 1}.${block}`,
    downsample: (stage) => `features.${2 * stage}`,
    depthwise: 'block.0',
    blockNorm: 'block.2',
    expand: 'block.3',
    project: 'block.5',
    scale: 'layer_scale',
  },
  ({ name, shape }) => {
    if (!/block\d+\/scale$/.test(name)) return null;
    const expected = [...shape, 1, 1];
    return { expected, fits: (found) => found.join() === expected.join(), take: (values) => values.slice() };
  },
);

export const convNextDialects: readonly Dialect[] = [timm, torchvision];
