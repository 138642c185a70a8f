import type { ModelName } from '../options.ts';
import { type Dialect, layerNames } from './names.ts';

/** Networks whose weights others publish, and how their files name the arrays. */
export const publishedNames = ['resnet18', 'resnet34', 'resnet50', 'resnet101'] as const satisfies ModelName[];
export type PublishedName = (typeof publishedNames)[number];

export const isPublished = (name: string): name is PublishedName =>
  (publishedNames as readonly string[]).includes(name);

/** torchvision's names, which timm has too. */
const resnet = layerNames('torchvision', (layer) => {
  if (layer === 'stem') return { main: 'conv1', norm: 'bn1' };
  if (layer === 'classifier') return { main: 'fc' };
  const [, stage, block, part] = /^stage(\d+)\/block(\d+)\/(?:conv)?(\w+)$/.exec(layer)!;
  const at = `layer${stage}.${Number(block) - 1}`;
  if (part === 'shortcut') return { main: `${at}.downsample.0`, norm: `${at}.downsample.1` };
  return { main: `${at}.conv${part}`, norm: `${at}.bn${part}` };
});

/** The dialects in which a network is published. */
export const dialects: Readonly<Record<PublishedName, readonly Dialect[]>> = {
  resnet18: [resnet],
  resnet34: [resnet],
  resnet50: [resnet],
  resnet101: [resnet],
};
