import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Hooks } from '../../src/hooks.ts';
import { tf } from '../../src/tf.ts';
import { createTrainer } from '../../src/train/trainer.ts';
import { tapping } from '../support/faulty.ts';
import { squares, tinyModel } from '../support/squares.ts';
import { countVerdicts, fuzzRuns } from '../support/verdicts.ts';
import { describeNative } from './captured-support.ts';

const COUNT = fuzzRuns(120);

const number = fc.constantFrom(0, 1, -1, 0.5, 8, 1e308, Number.NaN, Number.POSITIVE_INFINITY, -0, 2 ** 31);
const typed = fc
  .tuple(fc.constantFrom(Float32Array, Float64Array, Int32Array, Uint8Array), fc.constantFrom(0, 1, 4, 8, 20), number)
  .map(
    ([Type, length, value]) =>
      () =>
        new Type(length).fill(value),
  );
const tensors = fc
  .tuple(
    fc.constantFrom<number[]>([], [0], [4], [8], [8, 4], [8, 3], [2, 2, 2]),
    number,
    fc.constantFrom('float32', 'int32'),
  )
  .map(
    ([shape, value, dtype]) =>
      () =>
        tf.fill(shape, Number.isFinite(value) ? value : 0, dtype as 'float32'),
  );
const plain = fc.constantFrom<() => unknown>(
  () => null,
  () => undefined,
  () => 'text',
  () => true,
  () => ({}),
  () => [],
  () => [[1, 2]],
  () => ({ length: 8 }),
  () => JSON.parse('{"__proto__": {"polluted": 1}, "constructor": {"prototype": {"polluted": 1}}}'),
  () => Object.create(null),
  () => new Map([[1, 2]]),
  () => Symbol('x'),
  () => 1n,
  () => new Date(0),
  () => () => null,
  () => Promise.resolve(1),
  () => new Proxy({}, { ownKeys: () => [], get: () => 1 }),
);
/** Makes something that a plugin may return. */
const junk = fc.oneof(
  plain,
  typed,
  tensors,
  number.map((value) => () => value),
);

const hooks = fc.constantFrom<keyof Hooks>(
  'computeSamplingWeights',
  'computeClassWeights',
  'computeLearningRate',
  'onBatch',
  'computeTargets',
  'buildModel',
  'buildLoss',
  'buildGradients',
  'buildUpdate',
  'buildPrediction',
  'onEpochBegin',
  'onBatchEnd',
  'onTrainEnd',
);

interface Change {
  hook: keyof Hooks;
  make: () => unknown;
  /** In the place of the whole, of a part of it, of what a function gives, or of a part of that. */
  place: 'whole' | 'part' | 'result' | 'part of result';
  part: number;
}

/** A copy with something else in one place. */
function withPart(value: unknown, part: number, make: () => unknown): unknown {
  if (typeof value !== 'object' || value === null || value instanceof tf.Tensor) return make();
  const copy = ArrayBuffer.isView(value) ? (value as Float64Array).slice() : { ...value };
  const keys = Object.keys(copy);
  (copy as Record<string, unknown>)[keys[part % keys.length] ?? 'x'] = make();
  return copy;
}

function tap({ make, place, part }: Change) {
  const changed = (value: unknown): unknown => (place.startsWith('part') ? withPart(value, part, make) : make());
  const wrapped = (inner: unknown): unknown =>
    typeof inner === 'function' ? (...args: unknown[]) => changed(inner(...args)) : changed(inner);
  return (value: unknown): unknown => {
    if (!place.endsWith('result')) return changed(value);
    if (typeof value === 'object' && value !== null && !ArrayBuffer.isView(value)) {
      // The loss: an object of functions.
      const entries = Object.entries(value);
      return Object.fromEntries(
        entries.map(([key, inner], i) => [key, i === part % entries.length ? wrapped(inner) : inner]),
      );
    }
    return wrapped(value);
  };
}

/** Whether a value is one that its hook may return, where that can be told in a line. */
const allowed: { [Hook in keyof Hooks]?: (value: unknown) => boolean } = {
  computeLearningRate: (value) => Number.isFinite(value) && (value as number) >= 0,
  computeClassWeights: (value) => isWeights(value, 4),
  computeSamplingWeights: (value) => value === null || isWeights(value, 20),
};
const isWeights = (value: unknown, length: number): boolean =>
  value instanceof Float64Array && value.length === length && value.every((weight) => weight >= 0 && weight < Infinity);

/** Faults of figures: which plugin they come from is not always known. */
const OF_FIGURES = /NOT_FINITE|DIVERGED|CLASS_WEIGHTS|SAMPLING_WEIGHTS/;

async function fuzz(step: 'eager' | 'captured', count: number): Promise<void> {
  const verdicts = countVerdicts(`returns of plugins at random, ${step}`);
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        hook: hooks,
        make: junk,
        place: fc.constantFrom<Change['place']>('whole', 'part', 'result', 'part of result'),
        part: fc.nat(30),
      }),
      async (change) => {
        const error = await verdicts.of('run', async () => {
          const { epochs, summary } = await createTrainer({
            data: squares([10, 5, 3, 2]),
            model: tinyModel(),
            plugins: [tapping(change.hook, tap(change))],
            train: { epochs: 1, batchSize: 8, step, optimizer: { name: 'sgd', learningRate: 0.01 } },
          }).run();
          expect(summary.status).toBe('finished');
          for (const { train, test } of epochs)
            for (const figure of [train.loss, train.accuracy, test!.loss]) expect(figure).toSatisfy(Number.isFinite);
          if (change.place === 'whole' || change.place === 'result') {
            const judge = allowed[change.hook];
            if (judge) expect(change.make()).toSatisfy(judge);
          }
        });
        if (error !== null && !OF_FIGURES.test(error.code))
          expect([error.plugin, error.message]).toEqual(['faulty', error.message]);
      },
    ),
    { numRuns: count, seed: 20 },
  );
  verdicts.tell();
  expect(verdicts.refused()).toBeGreaterThan(count / 4);
}

const title = (count: number): string => `${count} returns of plugins at random are taken, or named with their plugin`;

it(`${title(COUNT)}, eager`, () => fuzz('eager', COUNT), 600_000);

describeNative('captured', () => {
  it(title(Math.ceil(COUNT / 4)), () => fuzz('captured', Math.ceil(COUNT / 4)), 600_000);
});
