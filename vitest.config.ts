import { defineConfig } from 'vitest/config';

export default defineConfig({
  resolve: { conditions: ['tailmix-source'] },
  ssr: { resolve: { conditions: ['tailmix-source'] } },
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
