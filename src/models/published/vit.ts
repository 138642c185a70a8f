import { sizeOf } from '../../util/shape.ts';
import type { ArrayInfo } from '../../weights/types.ts';
import type { WeightSpec } from '../types.ts';
import type { VisionTransformerForm } from '../vit-forms.ts';
import { type Dialect, layerNames, type Part, wholeOf } from './names.ts';
import { resampleGrid } from './resample-grid.ts';

/** Names of a library's arrays. */
interface Names {
  library: string;
  /** Before all of them. */
  prefix?: string;
  /** Tokens, by ours: the class token, the registers, the positions. */
  tokens: { class: string; registers?: string; position: string };
  /** Modules outside the blocks, by our layers. */
  outside: Readonly<Record<'patch' | 'norm' | 'classifier', string> & Partial<Record<'preNorm', string>>>;
  /** Module before those of a block, counted from 0: `blocks.`. */
  blocks: string;
  /** Modules of a block, by our layers: `attention/project`; of layer scale the whole array. */
  inside: Readonly<Record<string, string>>;
  /** The array of query, key and value in a block, and that of their biases, where each is one. */
  joined?: readonly [kernel: string, bias: string];
  isForeign?: Dialect['isForeign'];
}

const JOINED = /^attention\/(query|key|value)\/(kernel|bias)$/;
const THIRDS = ['query', 'key', 'value'];

/** Block of a weight, counted from 0, and its name there. */
function placeOf(weight: string): { block: number; rest: string } | null {
  const [, block, rest] = /^block(\d+)\/(.+)$/.exec(weight) ?? [];
  return rest === undefined ? null : { block: Number(block) - 1, rest };
}

function dialectOf({ library, prefix = '', tokens, outside, blocks, inside, joined, isForeign }: Names): Dialect {
  const ownTokens: Readonly<Record<string, string | undefined>> = {
    'embed/class': tokens.class,
    'embed/registers': tokens.registers,
    'embed/class-position': tokens.position,
    'embed/position': tokens.position,
  };
  const modules: Readonly<Record<string, string | undefined>> = {
    'embed/patch': outside.patch,
    // Of `embed/norm`, which is taken for the norm of a layer.
    embed: outside.preNorm,
    norm: outside.norm,
    classifier: outside.classifier,
  };
  const layers = layerNames(library, (layer) => {
    const place = placeOf(layer);
    const module = place ? `${blocks}${place.block}.${inside[place.rest]}` : modules[layer];
    return { main: `${prefix}${module}` };
  });
  return {
    library,
    ...(isForeign && { isForeign }),
    nameOf(weight) {
      if (Object.hasOwn(ownTokens, weight)) return `${prefix}${ownTokens[weight]}`;
      const place = placeOf(weight);
      const kind = place && joined && JOINED.exec(place.rest)?.[2];
      const array = kind ? joined[kind === 'kernel' ? 0 : 1] : place && inside[place.rest];
      return array ? `${prefix}${blocks}${place!.block}.${array}` : layers.nameOf(weight);
    },
    partOf(spec, names) {
      if (spec.name === 'embed/position') return gridOf(spec, names.has('embed/class-position'));
      if (spec.name === 'embed/class-position') return firstOf(spec);
      if (spec.name === 'embed/class') return withoutOnes(spec);
      const third = joined && JOINED.exec(placeOf(spec.name)?.rest ?? '')?.[1];
      return third === undefined ? null : thirdOf(spec, THIRDS.indexOf(third));
    },
  };
}

const isShape =
  (expected: readonly number[]) =>
  (shape: readonly number[]): boolean =>
    shape.join() === expected.join();

/** Rows of the array that has query, key and value one after another. */
function thirdOf(spec: WeightSpec, third: number): Part {
  const whole = wholeOf(spec);
  const [rows, ...rest] = whole.expected as [number, ...number[]];
  const expected = [3 * rows, ...rest];
  const size = sizeOf(spec.shape);
  return {
    expected,
    fits: isShape(expected),
    take: (values) => whole.take(values.subarray(third * size, (third + 1) * size), whole.expected),
  };
}

/** A shape without the axes of length 1 that some libraries put first. */
const bare = (shape: readonly number[]): readonly number[] => {
  const first = shape.findIndex((length) => length > 1);
  return first < 0 ? [] : shape.slice(first);
};

const withoutOnes = (spec: WeightSpec): Part => ({
  expected: spec.shape,
  fits: (shape) => isShape(bare(spec.shape))(bare(shape)),
  take: (values) => values.slice(),
});

/** Side of the square grid of a file's positions, with or without one of the class token; null for none. */
function sideOf(shape: readonly number[], hasClass: boolean): number | null {
  const [tokens = 0, width, ...more] = bare(shape);
  const side = Math.sqrt(tokens - (hasClass ? 1 : 0));
  return width !== undefined && more.length === 0 && Number.isInteger(side) && side > 0 ? side : null;
}

/** Positions of patches, `[1, rows, columns, width]`, resampled where the file's images had another size. */
function gridOf(spec: WeightSpec, hasClass: boolean): Part {
  const [, rows, columns, width] = spec.shape as [number, number, number, number];
  return {
    expected: [1, rows * columns + (hasClass ? 1 : 0), width],
    fits: (shape) => bare(shape).at(-1) === width && sideOf(shape, hasClass) !== null,
    take(values, shape) {
      const side = sideOf(shape, hasClass)!;
      const grid = values.slice(hasClass ? width : 0);
      return side === rows && side === columns ? grid : resampleGrid(grid, [side, side], [rows, columns]);
    },
  };
}

/** The position of the class token: the first of an array. */
const firstOf = (spec: WeightSpec): Part => ({
  expected: spec.shape,
  fits: (shape) => bare(shape).at(-1) === spec.shape.at(-1) && sideOf(shape, true) !== null,
  take: (values) => values.slice(0, sizeOf(spec.shape)),
});

const timmNames: Names = {
  library: 'timm',
  tokens: { class: 'cls_token', registers: 'reg_token', position: 'pos_embed' },
  outside: { patch: 'patch_embed.proj', preNorm: 'norm_pre', norm: 'norm', classifier: 'head' },
  blocks: 'blocks.',
  inside: {
    norm1: 'norm1',
    'attention/project': 'attn.proj',
    scale1: 'ls1.gamma',
    norm2: 'norm2',
    'mlp/expand': 'mlp.fc1',
    'mlp/project': 'mlp.fc2',
    scale2: 'ls2.gamma',
  },
  joined: ['attn.qkv.weight', 'attn.qkv.bias'],
  // DINOv2's own files have what masked patches were replaced by.
  isForeign: (name) => name === 'mask_token',
};

const openAi: Names = {
  library: 'OpenAI CLIP',
  prefix: 'visual.',
  tokens: { class: 'class_embedding', position: 'positional_embedding' },
  outside: { patch: 'conv1', preNorm: 'ln_pre', norm: 'ln_post', classifier: 'head' },
  blocks: 'transformer.resblocks.',
  inside: {
    norm1: 'ln_1',
    'attention/project': 'attn.out_proj',
    norm2: 'ln_2',
    'mlp/expand': 'mlp.c_fc',
    'mlp/project': 'mlp.c_proj',
  },
  joined: ['attn.in_proj_weight', 'attn.in_proj_bias'],
  // The text encoder, and the projection into the space that it shares with images.
  isForeign: (name) => !name.startsWith('visual.') || name === 'visual.proj',
};

const torchvision: Names = {
  library: 'torchvision',
  tokens: { class: 'class_token', position: 'encoder.pos_embedding' },
  outside: { patch: 'conv_proj', norm: 'encoder.ln', classifier: 'heads.head' },
  blocks: 'encoder.layers.encoder_layer_',
  inside: {
    norm1: 'ln_1',
    'attention/project': 'self_attention.out_proj',
    norm2: 'ln_2',
    'mlp/expand': 'mlp.0',
    'mlp/project': 'mlp.3',
  },
  joined: ['self_attention.in_proj_weight', 'self_attention.in_proj_bias'],
};

const huggingFace: Names = {
  library: 'Hugging Face',
  tokens: { class: 'vit.embeddings.cls_token', position: 'vit.embeddings.position_embeddings' },
  outside: {
    patch: 'vit.embeddings.patch_embeddings.projection',
    norm: 'vit.layernorm',
    classifier: 'classifier',
  },
  blocks: 'vit.encoder.layer.',
  inside: {
    norm1: 'layernorm_before',
    'attention/query': 'attention.attention.query',
    'attention/key': 'attention.attention.key',
    'attention/value': 'attention.attention.value',
    'attention/project': 'attention.output.dense',
    norm2: 'layernorm_after',
    'mlp/expand': 'intermediate.dense',
    'mlp/project': 'output.dense',
  },
  isForeign: (name) => name.startsWith('vit.pooler.'),
};

/** Libraries that publish Vision Transformers. */
export const visionTransformerDialects: readonly Dialect[] = [
  timmNames,
  {
    ...timmNames,
    library: 'DINOv2',
    tokens: { ...timmNames.tokens, registers: 'register_tokens' },
  },
  openAi,
  torchvision,
  {
    ...torchvision,
    library: 'torchvision 0.12',
    inside: { ...torchvision.inside, 'mlp/expand': 'mlp.linear_1', 'mlp/project': 'mlp.linear_2' },
  },
  huggingFace,
].map(dialectOf);

/** The form of the network that a file's arrays belong to. */
export function formOf(arrays: ReadonlyMap<string, ArrayInfo>): VisionTransformerForm {
  const registers = arrays.get('reg_token') ?? arrays.get('register_tokens');
  const positions = ['pos_embed', 'visual.positional_embedding', 'encoder.pos_embedding', huggingFace.tokens.position];
  const position = positions.map((name) => arrays.get(name)).find((found) => found !== undefined);
  return {
    preNorm: arrays.has('norm_pre.weight') || arrays.has('visual.ln_pre.weight'),
    layerScale: arrays.has('blocks.0.ls1.gamma'),
    registers: registers?.shape.at(-2) ?? 0,
    classPosition: position === undefined || sideOf(position.shape, false) === null,
  };
}
