import { expect, test } from 'vitest';
import { inspectData } from '../../../src/data/inspect/inspect.ts';
import { dataOptions } from '../../../src/data/options.ts';
import { cifar10Folders } from '../../support/cifar10.ts';

const folder = await cifar10Folders();
const title = 'the images of CIFAR-10: no test image is in train, none is unreadable';

test.skipIf(folder === null)(title, { timeout: 300_000 }, async () => {
  const { read } = await inspectData(dataOptions.parse({ name: 'cifar10', root: folder! }));
  expect(read!.train!.indices).toHaveLength(12_406);
  expect(read!.unreadable).toEqual([]);
  expect(read!.duplicates.testInTrain).toBe(0);
  // The published statistics of the data set, which JPEG changes little.
  for (const [c, mean] of [0.4914, 0.4822, 0.4465].entries()) expect(read!.mean[c]).toBeCloseTo(mean, 3);
});
