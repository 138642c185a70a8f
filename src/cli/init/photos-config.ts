import { stringify } from 'yaml';
import type { Look } from '../../data/inspect/look.ts';
import { hasCounts } from '../../data/load-data.ts';
import type { Pretrained } from './pretrained.ts';
import { isTransformer, type Recipe } from './recipe.ts';

/** A config for photos, its choices explained beside them. */
export interface PhotosConfig {
  name: string;
  /** As `data.root` has it. */
  root: string;
  /** As the head of the file names it. */
  schema: string;
  look: Look;
  recipe: Recipe;
  /** Weights that it starts from; null for none. */
  pretrained: Pretrained | null;
  /** Pattern of images that stay together. */
  group?: string;
}

/** A value as YAML has it on one line. */
const flow = (value: unknown): string => stringify(value, { collectionStyle: 'flow', lineWidth: 0 }).trim();

/** The text of `tailmix.config.yaml`. */
export function photosConfig({ name, root, schema, look, recipe, pretrained, group }: PhotosConfig): string {
  const { data, plan } = look;
  const { imageSize, remedy, patience } = recipe;
  const counts = hasCounts(plan.classCounts) ? plan.classCounts : [];
  const [largest, smallest] = [Math.max(...counts), Math.min(...counts)];
  const split = data.split && { ...data.split, ...(group !== undefined && { group }) };
  const lines = [
    `# yaml-language-server: $schema=${schema}`,
    `# ${plan.info.classes.length} classes with about ${largest} to ${smallest} images to train on. Every option: docs/config.md`,
    `name: ${flow(name)}`,
    'data:',
    `  name: ${data.name as string}`,
    `  root: ${flow(root)}`,
    ...(data.options ? [`  options: ${flow(data.options)}`] : []),
    `  imageSize: ${imageSize} # pixels; a larger one shows more detail and takes longer: twice the side, four times the time`,
    `  packSize: ${Math.round((imageSize * 9) / 64) * 8} # images are scaled to this; training cuts random parts out of it, evaluation the centre`,
    ...(split
      ? [
          `  split: ${flow(split)} # of every class, decided by the content of each image: docs/data.md`,
          ...(split.group === undefined
            ? [
                "  # Photos of one session, animal or patient: keep them together, as group: 'session_(\\d+)_' in split does.",
              ]
            : []),
        ]
      : []),
    '  onCorrupt: skip # files that cannot be read are left out and counted; tailmix data info lists them',
    '  augment:',
    '    - { name: random-resized-crop, scale: [0.4, 1] }',
    '    - { name: flip } # take it out if left and right matter, as in text',
    '    - { name: color-jitter, brightness: 0.2, contrast: 0.2, saturation: 0.2 }',
    'model:',
    ...modelLines(recipe, pretrained),
    'train:',
    `  epochs: ${recipe.epochs}`,
    `  batchSize: ${recipe.batchSize}`,
    ...optimizerLines(pretrained),
    'plugins:',
    '  - { use: lr-schedule, schedule: cosine, warmup: 0.05 }',
    ...(pretrained !== null && isTransformer(pretrained.model)
      ? ['  - use: class-mean-head # the classifier begins with the mean of each class']
      : []),
    `  # The remedy for the long tail: ${remedy.reason} (docs/which.md).`,
    ...remedy.plugins.map((use) => (use === 'mixup' ? '  - { use: mixup, alpha: 0.2 }' : `  - use: ${use}`)),
    ...(patience !== null
      ? [
          `  - { use: early-stopping, metric: balancedAccuracy, patience: ${patience} } # judged on the validation images`,
          '  - { use: checkpoint, best: validation } # keeps the best epoch: --checkpoint best',
        ]
      : [
          `  # No early stopping: it needs at least 100 validation images to judge by; there are about ${plan.validationCount}.`,
        ]),
  ];
  return `${lines.join('\n')}\n`;
}

function modelLines({ model }: Recipe, pretrained: Pretrained | null): string[] {
  if (pretrained === null)
    return [`  name: ${model} # starts from nothing; small-cnn is quicker, resnet18-cifar larger: docs/models.md`];
  return [
    `  name: ${pretrained.model} # the network of these weights: docs/which.md`,
    `  weights: ${flow(pretrained.file)}`,
    ...(isTransformer(pretrained.model)
      ? ['  freeze: [backbone] # only a classifier is trained', '  head: cosine', '  scale: 25']
      : []),
  ];
}

/** Weights that are published change little; all else is new. */
const optimizerLines = (pretrained: Pretrained | null): string[] =>
  pretrained === null || isTransformer(pretrained.model)
    ? ['  optimizer: { name: adamw, learningRate: 0.001, weightDecay: 0.05 }']
    : [
        '  optimizer:',
        '    name: adamw',
        '    learningRate: 0.001 # of the classifier, which is new',
        '    weightDecay: 0.05',
        '    groups: [{ match: backbone, learningRate: 0.0001 }] # of all other weights',
        '    noDecay: [norm, bias]',
      ];
