/** A config to kill runs of: a few short epochs, so that a random moment hits everything that a run does. */
export interface KillSetting {
  yaml: string;
  backend?: 'wasm';
}

const config = (data: string, model: string, train: string, rest: string): string => `data: { ${data} }
model: ${model}
train: { ${train} }
${rest}
`;

const mlp = '{ name: mlp, width: 16 }';
const blobs = 'name: blobs, ratio: 4, options: { samples: 200 }, workers: 0';
/** Images that the driver makes: their packed file is read in a moment, where `digits` takes half a second to parse. */
const images = 'name: image-folder, root: images, imageSize: 32, workers: 0';
const plugins = (...entries: string[]): string => `plugins:\n${entries.map((entry) => `  - ${entry}`).join('\n')}`;
const onBlobs = (...entries: string[]): KillSetting => ({
  yaml: config(blobs, mlp, 'epochs: 6, batchSize: 32', plugins(...entries)),
});
const onImages = (model: string, train: string, ...entries: string[]): KillSetting => ({
  yaml: config(images, model, `batchSize: 32, ${train}`, plugins(...entries)),
});
const cnn = '{ name: small-cnn }';

/** Settings by name; each has state of its own that a resume must bring back. */
export const settings: Readonly<Record<string, KillSetting>> = {
  plain: {
    yaml: config(
      'name: digits, workers: 0',
      mlp,
      'epochs: 4',
      plugins('{ use: lr-schedule, warmup: 0.2, milestones: [0.6] }'),
    ),
  },
  'remix-drw': onBlobs('{ use: mixup }', '{ use: remix }', '{ use: drw, deferUntil: 3 }'),
  drs: onBlobs('{ use: drs, deferUntil: 3 }'),
  ema: onBlobs('{ use: mixup }', '{ use: ema, decay: 0.9 }'),
  sam: onBlobs('{ use: sam }'),
  accumulation: onImages(mlp, 'epochs: 6', '{ use: cutmix }', '{ use: grad-accumulation, steps: 3 }'),
  choose: onImages(mlp, 'epochs: 6', '{ use: choose, of: [{ use: mixup, weight: 2 }, { use: cutmix }] }'),
  cmo: onImages(mlp, 'epochs: 6', '{ use: cmo, skipFirst: 1, skipLast: 1 }'),
  adamw: {
    yaml: config(
      blobs,
      mlp,
      'epochs: 6, batchSize: 32, optimizer: { name: adamw, learningRate: 0.001 }',
      plugins('{ use: balanced-mixup }'),
    ),
  },
  'two-stage': {
    yaml: config(
      blobs,
      mlp,
      'epochs: 3, batchSize: 32',
      `phases:
  - name: erm
  - name: crt
    model: { reset: [classifier], freeze: [backbone] }
    plugins: [{ use: resample, weights: class-uniform }]`,
    ),
  },
  bbn: onImages(cnn, 'epochs: 4', '{ use: bbn }'),
  manifold: onImages(cnn, 'epochs: 4', '{ use: manifold-mixup }', '{ use: remix }'),
  'early-stopping': {
    yaml: config(
      `${blobs}, split: { validation: 0.2 }`,
      mlp,
      'epochs: 7, batchSize: 32',
      plugins('{ use: early-stopping, patience: 2, metric: loss }', '{ use: checkpoint, every: 1, keep: 1 }'),
    ),
  },
  bf16: onImages(cnn, 'epochs: 4, precision: bf16', '{ use: mixup }'),
  eager: {
    yaml: config(blobs, mlp, 'epochs: 6, batchSize: 32, step: eager', plugins('{ use: mixup }', '{ use: remix }')),
  },
  workers: {
    yaml: config(
      `${images.replace('workers: 0', 'workers: 3')}, augment: [{ name: pad-crop, padding: 2 }]`,
      mlp,
      'epochs: 6, batchSize: 32',
      plugins('{ use: mixup }'),
    ),
  },
  wasm: { ...onBlobs('{ use: mixup }', '{ use: ema, decay: 0.9 }'), backend: 'wasm' },
  // A ResNet-32 of full size.
  resnet32: {
    yaml: config(
      `${images.replace('workers: 0', 'workers: 2')}, augment: [{ name: pad-crop }, { name: flip }]`,
      '{ name: resnet32 }',
      'epochs: 3, batchSize: 32',
      plugins('{ use: mixup }', '{ use: remix }', '{ use: drw, deferUntil: 3 }'),
    ),
  },
};
