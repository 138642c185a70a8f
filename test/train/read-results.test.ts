import { expect, test } from 'vitest';
import { canRunAhead, readResults } from '../../src/train/read-results.ts';

type Fit = Parameters<typeof canRunAhead>[0];
type Result = ReturnType<Parameters<ReturnType<typeof readResults>['add']>[0]>;

/** What spans a run. */
const OBSERVERS = ['progress', 'adaptive'];

const engine = { start: () => () => ({}) };
const tapping = (...taps: [plugin: string, hook: string][]) =>
  ({
    timings: taps.map(([plugin, hook]) => ({ plugin, hook, calls: 0, milliseconds: 0 })),
    plugins: taps.map(([name]) => ({ definition: { name, ...(OBSERVERS.includes(name) && { spans: 'run' }) } })),
  }) as unknown as Fit['composition'];
const fitWith = (composition: Fit['composition'], more: Partial<Fit> = {}): Fit => ({
  engine,
  composition,
  options: {},
  ...more,
});

test('steps run ahead unless a plugin that sees results may ask for the state or decides for the next step, or nothing can be started', () => {
  expect(canRunAhead(fitWith(tapping()))).toBe(true);
  expect(canRunAhead(fitWith(tapping(['progress', 'onBatchEnd'], ['mixup', 'onBatch'])))).toBe(true);
  expect(canRunAhead(fitWith(tapping(['progress', 'onBatchEnd'], ['own', 'onBatchEnd'])))).toBe(false);
  for (const hook of ['onBatch', 'computeTargets', 'computeLearningRate'])
    expect(canRunAhead(fitWith(tapping(['adaptive', 'onBatchEnd'], ['adaptive', hook])))).toBe(false);
  expect(canRunAhead(fitWith(tapping(), { engine: {} }))).toBe(false);
  expect(canRunAhead(fitWith(tapping(), { options: { link: {} as NonNullable<Fit['options']['link']> } }))).toBe(false);
});

/** Starts and readings of three steps, in order. */
function order(composition: Fit['composition']): string[] {
  const said: string[] = [];
  const results = readResults(fitWith(composition), ({ step }) => said.push(`took ${step}`));
  for (let step = 1; step <= 3; step++) {
    said.push(`started ${step}`);
    results.add(() => ({ step }) as Result);
  }
  results.flush();
  results.flush();
  return said;
}

test('a result is read once the next step is started, or at once', () => {
  expect(order(tapping())).toEqual(['started 1', 'started 2', 'took 1', 'started 3', 'took 2', 'took 3']);
  const adaptive = tapping(['adaptive', 'onBatchEnd'], ['adaptive', 'onBatch']);
  expect(order(adaptive)).toEqual(['started 1', 'took 1', 'started 2', 'took 2', 'started 3', 'took 3']);
});

test('a step that fails is thrown when it is read, and is not read again', () => {
  const taken: number[] = [];
  const results = readResults(fitWith(tapping()), ({ step }) => taken.push(step));
  results.add(() => {
    throw new Error('step 1');
  });
  expect(() => results.add(() => ({ step: 2 }) as Result)).toThrow('step 1');
  results.flush();
  expect(taken).toEqual([]);
});
