import process from 'node:process';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import base from '../../vitest.config.ts';
import { plainSources } from '../support/compiled.ts';
import { warmPool } from './warm-pool.ts';

/** The quickest file first: a mutant is done with at the first test that fails. */
class QuickestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const milliseconds = ({ project, moduleId }: TestSpecification): number => {
      const file = `${project.name}:${moduleId.slice(project.config.root.length + 1)}`;
      return this.ctx.cache.getFileTestResults(file)?.duration ?? 0;
    };
    return [...files].sort((a, b) => milliseconds(a) - milliseconds(b));
  }
}

const { projects: _, ...test } = base.test!;

// What a room's mutants are run against: `run.ts` says which test files, and Stryker's runner takes the rest from here.
export default defineConfig({
  ...base,
  ...plainSources,
  plugins: [
    {
      name: 'warm-pool',
      configureVitest({ project }) {
        Object.assign(project.config, { pool: warmPool.name, poolRunner: warmPool });
      },
    },
  ],
  test: {
    ...test,
    include: process.env.MUTATION_TESTS!.split(' '),
    setupFiles: ['test/mutation/setup.ts'],
    sequence: { sequencer: QuickestFirst },
    testTimeout: 20_000,
  },
});
