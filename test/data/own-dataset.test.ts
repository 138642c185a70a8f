import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { defineDataset, splitInMemory } from '../../src/data/dataset.ts';
import { describeData, loadData } from '../../src/data/load-data.ts';
import { dataOptions } from '../../src/data/options.ts';
import type { DatasetImages, DatasetInfo, Split } from '../../src/data/types.ts';
import { messageOfError } from '../support/message.ts';
import { temporaryFolder } from '../support/temporary.ts';

const info: DatasetInfo = {
  name: 'own',
  classes: ['a', 'b'],
  shape: [2, 2, 3],
  mean: [0.5, 0.5, 0.5],
  std: [1, 1, 1],
  fullCounts: [2, 2],
  testCount: 2,
};
const BYTES = 12;
const split = (name: Split['name'], labels: number[]) =>
  splitInMemory(name, labels, new Uint8Array(labels.length * BYTES));
const images = (changes: Partial<DatasetImages> = {}): DatasetImages => ({
  info,
  train: split('train', [0, 1, 0, 1]),
  test: split('test', [0, 1]),
  ...changes,
});
const options = (described: unknown, found: () => unknown) => {
  const name = defineDataset({
    name: 'own',
    describe: () => described as DatasetInfo,
    read: async () => found() as never,
  });
  return { ...dataOptions.parse({ name: 'digits' }), name };
};
const said = async (found: () => unknown, root?: string): Promise<string> =>
  messageOfError(() => loadData(options(info, found)), root);

test('what a data set of the user’s gives is told where no run could use it', async () => {
  expect((await loadData(options(info, () => images()))).train.classCounts).toEqual(Int32Array.of(2, 2));
  const root = await temporaryFolder();
  const file = (labels: number[], offset: number): Split => ({
    name: 'train',
    labels: Int32Array.from(labels),
    pixels: { kind: 'file', path: join(root, 'pixels'), offset },
  });
  const noFile = await said(() => images({ train: file([0, 1], 0) }), root);
  await writeFile(join(root, 'pixels'), Buffer.alloc(2 * BYTES + 5));
  expect((await loadData(options(info, () => images({ train: file([0, 1], 5) })))).train.indices).toHaveLength(2);
  const described = (changes: object) => messageOfError(() => describeData(options({ ...info, ...changes }, images)));
  expect({
    nothing: await said(() => undefined),
    noTest: await said(() => ({ ...images(), test: undefined })),
    label: await said(() => images({ train: split('train', [0, 1, 2]) })),
    negative: await said(() => images({ test: split('test', [0, -1]) })),
    fraction: await said(() => images({ train: split('train', [0, 0.5]) })),
    floats: await said(() => images({ train: splitInMemory('train', [0], new Float32Array(BYTES) as never) })),
    few: await said(() => images({ train: splitInMemory('train', [0, 1], new Uint8Array(BYTES)) })),
    noFile,
    shortFile: await said(() => images({ train: file([0, 1], 6) }), root),
    shape: await described({ shape: [2, 2] }),
    counts: await described({ fullCounts: [2] }),
    summary: await described({ fullCounts: { total: 4 } }),
  }).toMatchInlineSnapshot(`
    {
      "counts": "data set "own": expected its describe to give 2 fullCounts, one per class; got 1. Correct the module.",
      "few": "data set "own": expected its read to give 24 bytes of pixels for the 2 images of train; got 12. Correct the module.",
      "floats": "splitInMemory('train', …): expected pixels as a Uint8Array; got Float32Array. Correct the data set.",
      "fraction": "splitInMemory('train', …): expected labels that are whole numbers; got 0.5 for image 1. Correct the data set.",
      "label": "data set "own": expected its read to give labels from 0 to 1, one of 2 classes; got 2 for image 2 of train. Correct the module.",
      "negative": "data set "own": expected its read to give labels from 0 to 1, one of 2 classes; got -1 for image 1 of test. Correct the module.",
      "noFile": "…/pixels: expected a readable file; got "ENOENT: no such file or directory, stat '…/pixels'". Check that it is still there.",
      "noTest": "data.split.test: expected a fraction above 0, because the data set has no test images of its own; got none. Set data.split: { validation: 0.15, test: 0.15 }.",
      "nothing": "data set "own": expected its read to give info and train; got Invalid input: expected object, received undefined. Correct the module.",
      "shape": "data set "own": expected its describe to give class names, shape, mean, std and counts; got shape: Too small: expected array to have >=3 items. Correct the module.",
      "shortFile": "data set "own": expected its read to give 24 bytes of pixels for the 2 images of train; got 23. Correct the module.",
      "summary": "data set "own": expected its describe to give class names, shape, mean, std and counts; got fullCounts: Invalid input. Correct the module.",
    }
  `);
});
