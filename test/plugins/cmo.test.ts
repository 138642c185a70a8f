import { describe, expect, test } from 'vitest';
import cmo, { cmoBatch, mixesIn } from '../../plugins/cmo/index.ts';
import { keptShare } from '../../plugins/cutmix/index.ts';
import remix from '../../plugins/remix/index.ts';
import { compose } from '../../src/compose/compose.ts';
import { randomStream } from '../../src/random.ts';
import { planEpoch } from '../../src/train/epoch.ts';
import { at, drawnWeights, infoWithCounts, mixBatch, warningsOf } from '../support/plugins.ts';
import { squares } from '../support/squares.ts';

const counts = [300, 100, 20];
const options = cmo().options as Parameters<typeof mixesIn>[2];

test('is off in the first four and the last three epochs, as the authors’ code has it', () => {
  const on = Array.from({ length: 200 }, (_, i) => i + 1).filter((epoch) => mixesIn(epoch, 200, options));
  expect([on[0], on.at(-1), on.length]).toEqual([5, 197, 193]);
});

describe('the extra draw', () => {
  test.each([
    { gamma: 0, shares: [300 / 420, 100 / 420, 20 / 420] },
    { gamma: 0.5, shares: [17.32 / 31.79, 10 / 31.79, 4.472 / 31.79] },
    { gamma: 1, shares: [1 / 3, 1 / 3, 1 / 3] },
    { gamma: 2, shares: [1 / 19, 3 / 19, 15 / 19] },
  ])('gamma $gamma: shares $shares of the classes', ({ gamma, shares }) => {
    const weights = drawnWeights(compose([cmo({ gamma })], infoWithCounts(counts)), 'cmo/rare', 1);
    const mass = counts.map((n, c) => n * weights[c]!);
    const sum = mass.reduce((a, b) => a + b);
    mass.forEach((m, c) => {
      expect(m / sum).toBeCloseTo(shares[c]!, 3);
    });
  });

  test('is loaded behind the trained rows and does not move them', () => {
    const subset = squares([10, 3, 2, 1]).train;
    const plan = (groups: Parameters<typeof planEpoch>[0]['groups']) =>
      planEpoch({ subset, seed: 0, epoch: 1, batchSize: 8, dropLast: false, samplingWeights: null, groups });
    const { groups } = compose([cmo()], infoWithCounts([10, 3, 2, 1]));
    const [plain, pooled] = [plan({}), plan(groups)];
    pooled.forEach(({ indices, groups }, step) => {
      expect(indices.slice(0, 8)).toEqual(plain[step]!.indices);
      expect(groups).toEqual({ 'cmo/rare': { start: 8, size: 8 } });
    });
  });
});

describe('the plugin', () => {
  const info = infoWithCounts(counts, { epochs: 20 });
  const labels = Int32Array.from({ length: 32 }, (_, i) => (i < 16 ? 0 : 2));

  test('pastes row start + i of the draw on image i, in half of the batches', () => {
    const composition = compose([cmo()], info);
    let mixed = 0;
    for (let step = 1; step <= 400; step++) {
      const { batch, targets } = mixBatch(composition, labels, at(10, step));
      if (!batch.box) {
        expect(Array.from(batch.lambda)).toEqual(Array(16).fill(1));
        continue;
      }
      mixed++;
      expect(Array.from(batch.pair)).toEqual(Array.from({ length: 16 }, (_, i) => 16 + i));
      expect(Array.from(targets.pairLabels)).toEqual(Array(16).fill(2));
      expect(batch.lambda[0]).toBe(Math.fround(keptShare(batch.box, 8, 8)));
      expect(targets.labelWeight).toEqual(batch.lambda);
    }
    expect(Math.abs(mixed / 400 - 0.5)).toBeLessThan(0.1);
  });

  test.each([1, 4, 18, 20])('changes nothing in epoch %i of 20', (epoch) => {
    const composition = compose([cmo({ probability: 1 })], info);
    const { batch } = mixBatch(composition, labels, at(epoch));
    expect(batch.box).toBeNull();
    expect(Array.from(batch.pair)).toEqual(Array.from(Array(16).keys()));
  });

  test('says when no epoch is left to mix in', () => {
    expect(warningsOf([cmo()], infoWithCounts(counts, { epochs: 7 }))).toMatchInlineSnapshot(`
      [
        "NO_EFFECT [cmo] the run has 7 epochs, and skipFirst 4 and skipLast 3 leave none to mix in.",
      ]
    `);
    expect(warningsOf([cmo()], infoWithCounts(counts, { epochs: 8 }))).toEqual([]);
  });

  test('a share of 0 mixes no batch, whatever is drawn', () => {
    const lowest = { ...randomStream('any'), uniform: () => 0 };
    expect(cmoBatch(2, 2, [8, 8], { ...options, probability: 0 }, lowest)).toEqual({});
  });

  test('a label rule has nothing to do where nothing is pasted, and only there', () => {
    const warnings = [{ alpha: 0 }, { probability: 0 }].map((given) => warningsOf([cmo(given), remix()], info));
    expect(warnings[0]).toMatchInlineSnapshot(`
      [
        "NOT_INTENDED [cmo] with remix: nothing is pasted, and no label changes.",
      ]
    `);
    expect(warnings[1]).toEqual(warnings[0]);
    expect(warningsOf([cmo(), remix()], info)).toEqual([]);
  });
});
