import { mobileStages } from '../mobilenet.ts';
import type { PublishedName } from '../model-names.ts';
import { convNextDialects } from './convnext.ts';
import { type Dialect, layerNames } from './names.ts';
import { visionTransformerDialects } from './vit.ts';

/** torchvision's names, which timm has too. */
const resnet = layerNames('torchvision', (layer) => {
  if (layer === 'stem') return { main: 'conv1', norm: 'bn1' };
  if (layer === 'classifier') return { main: 'fc' };
  const [, stage, block, part] = /^stage(\d+)\/block(\d+)\/(?:conv)?(\w+)$/.exec(layer)!;
  const at = `layer${stage}.${Number(block) - 1}`;
  if (part === 'shortcut') return { main: `${at}.downsample.0`, norm: `${at}.downsample.1` };
  return { main: `${at}.conv${part}`, norm: `${at}.bn${part}` };
});

/** Stage, block and layer of a MobileNetV2, counted from 0. */
function mobileLayer(layer: string): { stage: number; block: number; part: string } {
  const [, stage, block, part] = /^stage(\d+)\/block(\d+)\/(\w+)$/.exec(layer)!;
  return { stage: Number(stage) - 1, block: Number(block) - 1, part: part! };
}

const torchvisionMobile = layerNames('torchvision', (layer) => {
  if (layer === 'stem') return { main: 'features.0.0', norm: 'features.0.1' };
  if (layer === 'last') return { main: 'features.18.0', norm: 'features.18.1' };
  if (layer === 'classifier') return { main: 'classifier.1' };
  const { stage, block, part } = mobileLayer(layer);
  const before = mobileStages.slice(0, stage).reduce((sum, { count }) => sum + count, 0);
  const at = `features.${1 + before + block}.conv`;
  const parts = mobileStages[stage]!.factor > 1 ? ['expand', 'depthwise', 'project'] : ['depthwise', 'project'];
  const place = parts.indexOf(part);
  if (part === 'project') return { main: `${at}.${place}`, norm: `${at}.${place + 1}` };
  return { main: `${at}.${place}.0`, norm: `${at}.${place}.1` };
});

const timmMobile = layerNames('timm', (layer) => {
  if (layer === 'stem') return { main: 'conv_stem', norm: 'bn1' };
  if (layer === 'last') return { main: 'conv_head', norm: 'bn2' };
  if (layer === 'classifier') return { main: 'classifier' };
  const { stage, block, part } = mobileLayer(layer);
  const at = `blocks.${stage}.${block}`;
  const modules = mobileStages[stage]!.factor > 1 ? ['conv_pw', 'conv_dw', 'conv_pwl'] : ['', 'conv_dw', 'conv_pw'];
  const place = ['expand', 'depthwise', 'project'].indexOf(part);
  return { main: `${at}.${modules[place]}`, norm: `${at}.bn${modules[0] === '' ? place : place + 1}` };
});

/** The dialects in which a network is published. */
export const dialects: Readonly<Record<PublishedName, readonly Dialect[]>> = {
  resnet18: [resnet],
  resnet34: [resnet],
  resnet50: [resnet],
  resnet101: [resnet],
  'resnext50-32x4d': [resnet],
  'mobilenet-v2': [torchvisionMobile, timmMobile],
  'convnext-tiny': convNextDialects,
  'vit-tiny-16': visionTransformerDialects,
  'vit-small-16': visionTransformerDialects,
  'vit-base-16': visionTransformerDialects,
  'vit-small-14': visionTransformerDialects,
  'vit-base-14': visionTransformerDialects,
};
