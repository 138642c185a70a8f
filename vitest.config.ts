import { availableParallelism } from 'node:os';
import { configDefaults, defineConfig, type TestProjectInlineConfiguration } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { compiledSources, mocking, plainSources } from './test/support/compiled.ts';
import { named, withSlow } from './test/support/selection.ts';

const exclude = [...configDefaults.exclude, ...(withSlow ? [] : ['**/*.slow.test.ts'])];
const include = ['test/**/*.test.ts'];

/** Files that a developer names run on the sources as they are; a whole run compiles them once for all files. */
const projects: TestProjectInlineConfiguration[] = [
  {
    extends: true,
    ...plainSources,
    test: { name: 'sources', include: named.length > 0 ? include : mocking },
  },
];
if (named.length === 0)
  projects.push({
    extends: true,
    plugins: [compiledSources],
    test: {
      name: 'compiled',
      include,
      exclude: [...exclude, ...mocking],
      server: { deps: { external: [/\/dist\/(src|plugins)\//] } },
    },
  });

/** Slow files first: one that comes last keeps one core busy for minutes, and the others idle. */
class SlowFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isSlow = ({ moduleId }: TestSpecification): boolean => moduleId.includes('.slow.');
    return [...sorted.filter(isSlow), ...sorted.filter((file) => !isSlow(file))];
  }
}

export default defineConfig({
  test: {
    projects,
    sequence: { sequencer: SlowFirst },
    exclude,
    globalSetup: ['test/support/selection.ts'],
    pool: 'forks',
    // Two on two cores: a test waits for disks, servers and child processes about half of its time.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    // Whoever runs the suite may have a server of their own.
    env: { MLFLOW_TRACKING_URI: '', MLFLOW_EXPERIMENT_NAME: '', MLFLOW_EXPERIMENT_ID: '' },
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
