import { beforeAll, expect, test } from 'vitest';
import bcl from '../../plugins/bcl/index.ts';
import featureSmote, { chosenNeighbours, interpolated } from '../../plugins/feature-smote/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { compose } from '../../src/compose/compose.ts';
import { tf } from '../../src/tf.ts';
import reference from '../reference/smote.json' with { type: 'json' };
import { smallInfo } from '../support/info.ts';
import { messageOfError } from '../support/message.ts';
import { at, drawnWeights, infoWithCounts, mixBatch, warningsOf } from '../support/plugins.ts';

beforeAll(async () => void (await loadBackend()));

test.each(reference.cases)('neighbours and synthetic rows are those of SciPy, k = $k', ({ k, chosen, synthetic }) => {
  const features = tf.tensor2d(reference.features);
  const found = chosenNeighbours(features, tf.tensor1d(reference.labels, 'int32'), tf.tensor1d(reference.ranks), k);
  expect(found.sum(1).arraySync()).toEqual(chosen.map(() => 1));
  expect(found.argMax(1).arraySync()).toEqual(chosen);
  const rows = interpolated(features, found, tf.tensor1d(reference.shares)).dataSync();
  for (const [i, value] of synthetic.flat().entries()) expect(rows[i]).toBeCloseTo(value, 5);
});

test('draws classes alike; a batch has the labels of the rows, ranks and shares, the same for the same step', () => {
  const composition = compose([featureSmote()], infoWithCounts([100, 10, 1]));
  const weights = drawnWeights(composition, 'feature-smote/rows', 1);
  expect([100, 10, 1].map((count, c) => (count * weights[c]!) / weights[2]!).map(Math.round)).toEqual([1, 1, 1]);
  const inputsIn = (step: number) =>
    mixBatch(composition, Int32Array.of(0, 0, 0, 1, 2, 1), at(1, step)).batch.inputs as Record<string, Float32Array>;
  expect([...inputsIn(1)['feature-smote/labels']!]).toEqual([1, 2, 1]);
  expect(inputsIn(1)).toEqual(inputsIn(1));
  expect(inputsIn(1)['feature-smote/ranks']).not.toEqual(inputsIn(2)['feature-smote/ranks']);
});

test('a weight of 0 is told of; what takes outputs apart too is refused', async () => {
  expect(warningsOf([featureSmote({ weight: 0 })], smallInfo())[0]).toContain('NO_EFFECT');
  expect(await messageOfError(async () => compose([featureSmote(), bcl()], smallInfo()))).toContain('branches');
});
