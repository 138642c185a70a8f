/** What is mutated together, and the tests that must see it. */
export interface Room {
  /** Globs of source files; errors.ts files hold messages alone and are left out everywhere. */
  mutate: readonly string[];
  /** Globs of test files. They run in a thread, so on WebAssembly, and what needs the native backend is skipped. */
  tests: readonly string[];
}

const MIXERS = ['cutmix', 'mixup', 'remix'];
const OTHER_MIXERS = ['balanced-mixup', 'bbn', 'choose', 'cmo', 'mamix', 'manifold-mixup', 'unimix'];
const LOSSES = [
  'balanced-softmax',
  'cdt',
  'cross-entropy',
  'focal',
  'focal-sigmoid',
  'gcl',
  'label-aware-smoothing',
  'label-smoothing',
  'ldam',
  'logit-adjustment',
  'vs',
];
const OTHERS = [
  'checkpoint',
  'drs',
  'drw',
  'early-stopping',
  'ema',
  'grad-accumulation',
  'grad-clip',
  'lr-schedule',
  'lws',
  'resample',
  'reweight',
  'sam',
  'tau-norm',
];

/** Plugins with their tests, and tests of several of them. */
const plugins = (names: readonly string[], more: readonly string[]): Room => ({
  mutate: names.map((name) => `plugins/${name}/*.ts`),
  tests: [...names, ...more].map((name) => `test/plugins/${name}.test.ts`),
});

/** Files of the loop, and tests of it. */
const trained = (names: readonly string[], tests: readonly string[]): Room => ({
  mutate: names.map((name) => `src/train/${name}.ts`),
  tests: tests.map((name) => `test/train/${name}.test.ts`),
});

export const rooms: Readonly<Record<string, Room>> = {
  'long-tail': { mutate: ['src/long-tail/*.ts'], tests: ['test/long-tail/*.test.ts'] },
  data: {
    mutate: ['src/data/sampler.ts', 'src/data/subset.ts', 'src/data/profile.ts'],
    tests: ['test/data/sampler.test.ts', 'test/data/subset.test.ts', 'test/data/profile.test.ts'],
  },
  metrics: { mutate: ['src/metrics/*.ts'], tests: ['test/metrics/*.test.ts'] },
  mixers: plugins(MIXERS, ['remix-loss']),
  'other-mixers': plugins(OTHER_MIXERS, []),
  losses: plugins(LOSSES, ['corrections']),
  plugins: plugins(OTHERS, ['corrections']),
  step: {
    mutate: ['program', 'definition', 'differentiate', 'mix', 'inputs', 'batch', 'optimizers'].map(
      (name) => `src/step/${name}.ts`,
    ),
    tests: ['batch', 'differentiate', 'inputs', 'mix', 'optimizers', 'program', 'program-mixing', 'faults-of-*'].map(
      (name) => `test/step/${name}.test.ts`,
    ),
  },
  compose: {
    mutate: ['src/compose/*.ts'],
    tests: ['test/compose/*.test.ts', 'test/plugins/choose.test.ts'],
  },
  train: trained(
    ['epoch', 'evaluate', 'phases', 'rehearse', 'seen-data'],
    ['epoch', 'evaluate', 'phases-of', 'rehearsal-values', 'seen-data', 'streams'],
  ),
  run: trained(['open-run', 'rollback'], ['going-back', 'restore', 'rollback', 'run-view']),
  trainer: trained(
    ['fit', 'plan-run', 'prepare', 'trainer'],
    [
      'going-back',
      'evaluation-due',
      'failing-observers',
      'fit',
      'gradient-not-finite',
      'phases',
      'phases-plan',
      'phases-resumed',
      'plan-refusals',
      'prepare',
      'run-alone',
      'run-view',
      'start',
      'trainer',
    ],
  ),
  published: {
    mutate: ['src/train/start.ts', 'src/models/published/*.ts'],
    tests: ['test/train/start.test.ts', 'test/models/published*.test.ts', 'test/models/published/*.test.ts'],
  },
};

/** Globs of the files that are mutated. */
export const mutatedIn = (globs: readonly string[]): string[] => [...globs, '!**/errors.ts', '!**/types.ts'];
