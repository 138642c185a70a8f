import type { z } from 'zod';
import type { ModelName, modelOptions } from '../../src/models/index.ts';

/** Side of images that a network takes. */
export const sideOf = (name: ModelName): number => (name.endsWith('-14') ? 28 : 32);

/** Options of a network as small as it gets. */
export function smallOptions(name: ModelName): z.input<typeof modelOptions> {
  if (name.startsWith('vit-')) return { name: name as 'vit-tiny-16', width: 24, depth: 2 };
  return { name: name as 'resnet32', width: name === 'mobilenet-v2' ? 0.1 : 8 };
}
