/** A config to kill runs of: a few short epochs, so that a random moment hits everything that a run does. */
export interface KillSetting {
  yaml: string;
  backend?: 'wasm';
}

const digits = (model: string, train: string, rest: string): string => `data: { name: digits, workers: 0 }
model: ${model}
train: { ${train} }
${rest}
`;

const mlp = '{ name: mlp, width: 16 }';
const plugins = (...entries: string[]): string => `plugins:\n${entries.map((entry) => `  - ${entry}`).join('\n')}`;
const onMlp = (...entries: string[]): KillSetting => ({ yaml: digits(mlp, 'epochs: 4', plugins(...entries)) });
const onCnn = (train: string, ...entries: string[]): KillSetting => ({
  yaml: digits('{ name: small-cnn }', train, plugins(...entries)),
});

/** Settings by name; each has state of its own that a resume must bring back. */
export const settings: Readonly<Record<string, KillSetting>> = {
  plain: onMlp('{ use: lr-schedule, warmup: 0.2, milestones: [0.6] }'),
  'remix-drw': onMlp('{ use: mixup }', '{ use: remix }', '{ use: drw, deferUntil: 3 }'),
  drs: onMlp('{ use: drs, deferUntil: 3 }'),
  ema: onMlp('{ use: mixup }', '{ use: ema, decay: 0.9 }'),
  sam: onMlp('{ use: sam }'),
  accumulation: onMlp('{ use: cutmix }', '{ use: grad-accumulation, steps: 3 }'),
  choose: onMlp('{ use: choose, of: [{ use: mixup, weight: 2 }, { use: cutmix }] }'),
  cmo: onMlp('{ use: cmo, skipFirst: 1, skipLast: 1 }'),
  adamw: {
    yaml: digits(mlp, 'epochs: 4, optimizer: { name: adamw, learningRate: 0.001 }', plugins('{ use: balanced-mixup }')),
  },
  'two-stage': {
    yaml: digits(
      mlp,
      'epochs: 2',
      `phases:
  - name: erm
  - name: crt
    model: { reset: [classifier], freeze: [backbone] }
    plugins: [{ use: resample, weights: class-uniform }]`,
    ),
  },
  bbn: onCnn('epochs: 3', '{ use: bbn }'),
  manifold: onCnn('epochs: 3', '{ use: manifold-mixup }', '{ use: remix }'),
  'early-stopping': {
    yaml: `data: { name: digits, workers: 0, split: { validation: 0.2 } }
model: ${mlp}
train: { epochs: 5 }
plugins: [{ use: early-stopping, patience: 2, metric: loss }, { use: checkpoint, every: 1, keep: 1 }]
`,
  },
  bf16: onCnn('epochs: 3, precision: bf16', '{ use: mixup }'),
  eager: { yaml: digits(mlp, 'epochs: 4, step: eager', plugins('{ use: mixup }', '{ use: remix }')) },
  workers: {
    yaml: `data: { name: digits, workers: 3, augment: [{ name: pad-crop, padding: 2 }] }
model: ${mlp}
train: { epochs: 4 }
plugins: [{ use: mixup }]
`,
  },
  wasm: { yaml: digits(mlp, 'epochs: 4', plugins('{ use: mixup }', '{ use: ema, decay: 0.9 }')), backend: 'wasm' },
  // A ResNet-32 of full size on the images of a folder that the driver makes.
  resnet32: {
    yaml: `data: { name: image-folder, root: images, imageSize: 32, workers: 2, augment: [{ name: pad-crop }, { name: flip }] }
model: { name: resnet32 }
train: { epochs: 3, batchSize: 32 }
plugins: [{ use: mixup }, { use: remix }, { use: drw, deferUntil: 3 }]
`,
  },
};
