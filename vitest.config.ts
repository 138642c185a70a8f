import { availableParallelism } from 'node:os';
import { configDefaults, defineConfig } from 'vitest/config';
import { withSlow } from './test/support/slow.ts';

export default defineConfig({
  resolve: { conditions: ['tailmix-source'] },
  ssr: { resolve: { conditions: ['tailmix-source'] } },
  test: {
    include: ['test/**/*.test.ts'],
    exclude: [...configDefaults.exclude, ...(withSlow ? [] : ['**/*.slow.test.ts'])],
    globalSetup: 'test/support/slow.ts',
    pool: 'forks',
    // Two on two cores: a test waits for disks, servers and child processes about half of its time.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    // Whoever runs the suite may have a server of their own.
    env: { MLFLOW_TRACKING_URI: '', MLFLOW_EXPERIMENT_NAME: '', MLFLOW_EXPERIMENT_ID: '' },
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
