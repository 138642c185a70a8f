import { defineConfig } from 'vitest/config';

export default defineConfig({
  resolve: { conditions: ['tailmix-source'] },
  ssr: { resolve: { conditions: ['tailmix-source'] } },
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    // Whoever runs the suite may have a server of their own.
    env: { MLFLOW_TRACKING_URI: '', MLFLOW_EXPERIMENT_NAME: '', MLFLOW_EXPERIMENT_ID: '' },
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
