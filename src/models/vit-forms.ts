/** Side of a patch, heads and usual width of each Vision Transformer. */
export const visionTransformers = {
  'vit-tiny-16': { patch: 16, heads: 3, width: 192 },
  'vit-small-16': { patch: 16, heads: 6, width: 384 },
  'vit-base-16': { patch: 16, heads: 12, width: 768 },
  'vit-small-14': { patch: 14, heads: 6, width: 384 },
  'vit-base-14': { patch: 14, heads: 12, width: 768 },
} as const;
export type VisionTransformerName = keyof typeof visionTransformers;

/** What tells the published Vision Transformers of one size apart; their files show it. */
export interface VisionTransformerForm {
  /** CLIP's: a layer norm before the first block, no bias of the patches, and an epsilon of 1e-5. */
  preNorm: boolean;
  /** DINOv2's and DeiT III's: each branch of a block is multiplied by a vector. */
  layerScale: boolean;
  /** Tokens that are trained and then dropped. */
  registers: number;
  /** Whether the class token has a position too. */
  classPosition: boolean;
}
