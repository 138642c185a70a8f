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
}

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
    { method: BASELINE, file: 'logistic', plugins: [schedule] },
    {
      method: 'Class means',
      file: 'class-means',
      model: { head: 'cosine', scale: 25 },
      plugins: [{ use: 'class-mean-head' }],
      train: { epochs: 1 },
      optimizer: { groups: [{ match: 'classifier', learningRate: 0 }] },
    },
    { method: 'Logistic regression, balanced', file: 'logistic-balanced', plugins: [reweight, schedule] },
    { method: 'Balanced softmax', file: 'balanced-softmax', plugins: [{ use: 'balanced-softmax' }, schedule] },
    { method: 'cRT', file: 'crt', plugins: [balanced, schedule] },
    {
      method: 'LWS',
      file: 'lws',
      phases: [
        { name: 'erm', plugins: [schedule] },
        {
          name: 'lws',
          epochs: Math.ceil(epochs / 2),
          model: { freeze: ['classifier'] },
          train: { optimizer: { learningRate: 0.1, weightDecay: 0 } },
          plugins: [balanced, { use: 'lws' }, schedule],
        },
      ],
    },
    { method: 'tau-norm', file: 'tau-norm', plugins: [{ use: 'tau-norm' }, schedule] },
  ];
}

/**
 * Classifiers on the features of a config's network, each a run of its own: the config with its images, its network and its
 * evaluation. The loss of logistic regression is that of scikit-learn with C = 1: a sum over images, and half of the squared
 * weights.
 */
export function headConfigs(config: ResolvedConfig, features: FeatureSet): MethodConfig[] {
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
    .filter(({ model }) => model === undefined || !config.model)
    .map(({ method, file, plugins: own = [], model, train: different, optimizer: changes, phases }) => ({
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
          optimizer: { ...optimizer, ...changes },
        },
        evaluate: { ...(evaluate as Tree), every, crops: undefined },
        plugins: [...own, ...observers],
        ...(phases && { phases }),
      },
    }));
}

/** The network of a config as it computes features: not how its classifier is made, nor which weights are trained. */
export function networkOf({ resolved }: Pick<ResolvedConfig, 'resolved'>): Tree {
  return without(resolved.model as Tree, 'head', 'scale', 'freeze', 'frozenNorm');
}

type Tree = Record<string, unknown>;

const OBSERVERS: ReadonlySet<string> = new Set(['progress', 'tracking', 'checkpoint', 'mlflow']);
