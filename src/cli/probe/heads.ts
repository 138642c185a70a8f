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
}

/** What is tried of each hyper-parameter; 1 is what is tried without a grid. */
const GRID = { C: [0.1, 1, 10], rate: [0.25, 1], tau: [0.25, 0.5, 0.75, 1] } as const;

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
    { method: 'LWS', file: 'lws', phases: lwsPhases(epochs) },
    { method: 'tau-norm', file: 'tau-norm', plugins: [{ use: 'tau-norm' }, schedule] },
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

/** A classifier and the same with other hyper-parameters. */
function variantsOf(head: Head, epochs: number): Head[] {
  const named = (label: string, change: Partial<Head>): Head => ({
    ...head,
    ...change,
    method: `${head.method} (${label})`,
    file: `${head.file}-${label.replaceAll(/[^\w.]+/g, '-')}`,
  });
  const isOther = (value: number): boolean => value !== 1;
  if (head.file === 'class-means') return [head];
  if (head.file === 'tau-norm') {
    const plugins = (tau: number): Entry[] => [{ use: 'tau-norm', tau }, schedule];
    return [head, ...GRID.tau.filter(isOther).map((tau) => named(`tau ${tau}`, { plugins: plugins(tau) }))];
  }
  if (head.file === 'lws') {
    const rates = GRID.rate.filter(isOther);
    return [head, ...rates.map((rate) => named(`rate ${rate}`, { phases: lwsPhases(epochs, rate) }))];
  }
  const pairs = GRID.C.flatMap((C) => GRID.rate.map((rate) => ({ C, rate })));
  const others = pairs.filter(({ C, rate }) => isOther(C) || isOther(rate));
  return [head, ...others.map(({ C, rate }) => named(`C ${C}, rate ${rate}`, { C, rate }))];
}

/**
 * Classifiers on the features of a config's network, each a run of its own: the config with its images, its network and its
 * evaluation. The loss of logistic regression is that of scikit-learn with C = 1: a sum over images, and half of the squared
 * weights.
 *
 * @param isGrid - whether other hyper-parameters are tried too
 */
export function headConfigs(config: ResolvedConfig, features: FeatureSet, isGrid = false): MethodConfig[] {
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
    .flatMap((head) => (isGrid ? variantsOf(head, epochs) : [head]))
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
              learningRate: rate * optimizer.learningRate,
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
