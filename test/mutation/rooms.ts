/** What is mutated together, and the tests that must see it. */
export interface Room {
  /** Globs of source files; errors.ts files hold messages alone and are left out everywhere. */
  mutate: readonly string[];
  /** Globs of test files. They run in a thread, so on WebAssembly, and what needs the native backend is skipped. */
  tests: readonly string[];
}

export const rooms: Readonly<Record<string, Room>> = {
  'long-tail': { mutate: ['src/long-tail/*.ts'], tests: ['test/long-tail/*.test.ts'] },
  data: {
    mutate: ['src/data/sampler.ts', 'src/data/subset.ts', 'src/data/profile.ts'],
    tests: ['test/data/sampler.test.ts', 'test/data/subset.test.ts', 'test/data/profile.test.ts'],
  },
  metrics: { mutate: ['src/metrics/*.ts'], tests: ['test/metrics/*.test.ts'] },
  plugins: {
    mutate: ['plugins/*/*.ts', ...['mlflow', 'progress', 'tracking'].map((name) => `!plugins/${name}/*.ts`)],
    tests: ['test/plugins/!(all-plugins|imports|index|mlflow*|pairs|progress|tracking).test.ts'],
  },
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
  train: { mutate: ['src/train/*.ts'], tests: ['test/train/!(diverging|in-place|one-process).test.ts'] },
};

/** Globs of the files that are mutated. */
export const mutatedIn = (globs: readonly string[]): string[] => [...globs, '!**/errors.ts', '!**/types.ts'];
