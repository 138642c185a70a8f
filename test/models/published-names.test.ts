import { expect, test } from 'vitest';
import { createModel, modelOptions } from '../../src/models/index.ts';
import type { PublishedName } from '../../src/models/model-names.ts';
import { dialects } from '../../src/models/published/families.ts';
import { matchWeights } from '../../src/models/published/match.ts';
import { sizeOf } from '../../src/util/shape.ts';
import { readReference } from './reference.ts';

/** test/reference/published-names.json: by network and library, `NAME:SHAPE` of each array. */
const { networks } = readReference<{ networks: Record<string, Record<string, string>> }>('published-names.json');

const cases = Object.entries(networks).flatMap(([name, libraries]) =>
  Object.entries(libraries).map(([library, arrays]) => [name as PublishedName, library, arrays] as const),
);

const parameters: Record<string, number> = {
  resnet18: 11_689_512,
  resnet34: 21_797_672,
  resnet50: 25_557_032,
  resnet101: 44_549_160,
  'resnext50-32x4d': 25_028_904,
  'mobilenet-v2': 3_504_872,
  'convnext-tiny': 28_589_128,
};

test.each(cases)('%s takes every array of %s’s state_dict, and no other', (name, library, text) => {
  const model = createModel(modelOptions.parse({ name }), { classes: 1000, imageShape: [224, 224, 3] });
  const arrays = new Map(
    text.split(' ').map((array) => {
      const [key, shape] = array.split(':') as [string, string];
      return [key, { dtype: 'F32', shape: shape.split('x').map(Number) }] as const;
    }),
  );
  const match = matchWeights(model, dialects[name], arrays);
  expect(match).toMatchObject({ classifier: 'taken', differences: [] });
  expect(match.taken).toHaveLength(arrays.size);
  if (library !== 'both') expect(match.dialect.library).toBe(library);
  const trained = model.weights.filter(({ kind }) => kind !== 'statistic');
  expect(trained.reduce((sum, { shape }) => sum + sizeOf(shape), 0)).toBe(parameters[name]);
});
