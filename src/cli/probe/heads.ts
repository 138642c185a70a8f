import type { ResolvedConfig } from '../../config/types.ts';
import { without } from '../../util/without.ts';
import type { MethodConfig } from '../compare/run-methods.ts';

/** What the classifiers are trained on. */
export interface FeatureSet {
  /** Training rows per class, `[C]`. */
  classCounts: readonly number[];
  /** Mean of a row's squared length. */
  meanSquare: number;
}

/** The method that the others are compared with. */
export const BASELINE = 'Logistic regression';

type Entry = { use: string } & Record<string, unknown>;

/** A classifier to train on features. */
interface Head {
  method: string;
  file: string;
  plugins?: readonly Entry[];
  /** What differs from the others. */
  model?: Record<string, unknown>;
  train?: Record<string, unknown>;
  optimizer?: Record<string, unknown>;
  phases?: readonly Record<string, unknown>[];
  /** C of logistic regression: one over its regularisation. Default: 1. */
  C?: number;
  /** Of the learning rate. Default: 1. */
  rate?: number;
  /** The same with other hyper-parameters, by what differs. */
  variants?: readonly ({ label: string } & Partial<Head>)[];
}

/** What is tried of each hyper-parameter in addition to 1. */
const TRIED = { C: [0.001, 0.01, 0.1, 10], rate: [0.25], tau: [0.25, 0.5, 0.75] } as const;

/** Every C with every learning rate, but for 1 and 1. */
const regularised = [1, ...TRIED.C].flatMap((C) =>
  [1, ...TRIED.rate].flatMap((rate) => {
    const label = Object.entries({ C, rate }).flatMap(([key, value]) => (value === 1 ? [] : [`${key} ${value}`]));
    return label.length === 0 ? [] : [{ label: label.join(', '), C, rate }];
  }),
);

/** Rows of a batch, and the least steps and epochs that a classifier takes. */
const [BATCH, STEPS, EPOCHS] = [256, 500, 20];

const schedule: Entry = { use: 'lr-schedule', schedule: 'cosine', warmup: 0 };
const balanced: Entry = { use: 'resample', weights: 'class-uniform' };

/** Weights N / (C·n_c): each class weighs the same, and an image 1 on average. */
const balancedWeights = ({ classCounts }: FeatureSet): number[] => {
  const all = classCounts.reduce((a, b) => a + b, 0);
  return classCounts.map((n) => all / (classCounts.length * n));
};

function headsFor(features: FeatureSet, epochs: number): Head[] {
  const reweight: Entry = { use: 'reweight', weights: 'custom', custom: balancedWeights(features) };
  return [
    { method: BASELINE, file: 'logistic', plugins: [schedule], variants: regularised },
    {
      method: 'Class means',
      file: 'class-means',
      model: { head: 'cosine', scale: 25 },
      plugins: [{ use: 'class-mean-head' }],
      train: { epochs: 1 },
      optimizer: { groups: [{ match: 'classifier', learningRate: 0 }] },
    },
    {
      method: 'Logistic regression, balanced',
      file: 'logistic-balanced',
      plugins: [reweight, schedule],
      variants: regularised,
    },
    {
      method: 'Balanced softmax',
      file: 'balanced-softmax',
      plugins: [{ use: 'balanced-softmax' }, schedule],
      variants: regularised,
    },
    { method: 'cRT', file: 'crt', plugins: [balanced, schedule], variants: regularised },
    {
      method: 'LWS',
      file: 'lws',
      phases: lwsPhases(epochs),
      variants: TRIED.rate.map((rate) => ({ label: `rate ${rate}`, phases: lwsPhases(epochs, rate) })),
    },
    {
      method: 'tau-norm',
      file: 'tau-norm',
      plugins: [{ use: 'tau-norm' }, schedule],
      variants: TRIED.tau.map((tau) => ({ label: `tau ${tau}`, plugins: [{ use: 'tau-norm', tau }, schedule] })),
    },
  ];
}

const lwsPhases = (epochs: number, rate = 1): NonNullable<Head['phases']> => [
  { name: 'erm', plugins: [schedule] },
  {
    name: 'lws',
    epochs: Math.ceil(epochs / 2),
    model: { freeze: ['classifier'] },
    train: { optimizer: { learningRate: 0.1 * rate, weightDecay: 0 } },
    plugins: [balanced, { use: 'lws' }, schedule],
  },
];

/** A classifier with other hyper-parameters, named by what differs. */
const variantsOf = (head: Head): Head[] =>
  (head.variants ?? []).map(({ label, ...change }) => ({
    ...head,
    ...change,
    method: `${head.method} (${label})`,
    file: `${head.file}-${label.replaceAll(/[^\w.]+/g, '-')}`,
  }));

/**
 * Classifiers on the features of a config's network, each a run of its own: the config with its images, its network and its
 * evaluation. The loss of logistic regression is that of scikit-learn with C = 1: a sum over images, and half of the squared
 * weights.
 *
 * @param isTuned - whether other hyper-parameters are tried too
 */
export function headConfigs(config: ResolvedConfig, features: FeatureSet, isTuned = false): MethodConfig[] {
  const { train, evaluate, plugins, data, ...others } = config.resolved as Tree;
  const rest = without(others, 'method', 'name', 'model');
  const images = without(data as Tree, 'augment');
  const { precision, step } = train as Tree;
  const rows = features.classCounts.reduce((a, b) => a + b, 0);
  const epochs = Math.max(EPOCHS, Math.ceil(STEPS / Math.ceil(rows / BATCH)));
  const every = Math.ceil(epochs / 5);
  const observers = (plugins as Entry[])
    .filter(({ use }) => OBSERVERS.has(use))
    .map((entry) => (entry.use === 'checkpoint' ? { ...entry, every } : entry));
  const optimizer = {
    name: 'sgd',
    // The loss bends by at most about 1/C of a row's squared length while classes are equally likely; SGD needs less than 2 over that.
    learningRate: Math.min(10, features.classCounts.length) / features.meanSquare,
    momentum: 0.9,
    nesterov: true,
    weightDecay: 1 / rows,
    noDecay: ['bias'],
  };
  return headsFor(features, epochs)
    .flatMap((head) => (isTuned ? [head, ...variantsOf(head)] : [head]))
    .filter(({ model }) => model === undefined || !config.model)
    .map(
      ({ method, file, plugins: own = [], model, train: different, optimizer: changes, phases, C = 1, rate = 1 }) => ({
        method,
        file,
        config: {
          ...rest,
          name: file,
          method,
          data: { ...images, features: true },
          model: { ...networkOf(config), ...model },
          train: {
            ...{ epochs, batchSize: BATCH, reduction: 'mean', precision, step },
            ...different,
            optimizer: {
              ...optimizer,
              // Decay alone must not overshoot either.
              learningRate: Math.min(rate * optimizer.learningRate, C / optimizer.weightDecay),
              weightDecay: optimizer.weightDecay / C,
              ...changes,
            },
          },
          evaluate: { ...(evaluate as Tree), every, crops: undefined },
          plugins: [...own, ...observers],
          ...(phases && { phases }),
        },
      }),
    );
}

/** The network of a config as it computes features: not how its classifier is made, nor which weights are trained. */
export function networkOf({ resolved }: Pick<ResolvedConfig, 'resolved'>): Tree {
  return without(resolved.model as Tree, 'head', 'scale', 'freeze', 'frozenNorm');
}

type Tree = Record<string, unknown>;

const OBSERVERS: ReadonlySet<string> = new Set(['progress', 'tracking', 'checkpoint', 'mlflow']);
