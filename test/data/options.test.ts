import { expect, test } from 'vitest';
import { describeInput } from '../../src/config/shape.ts';
import { dataOptions } from '../../src/data/options.ts';
import { dataRoot, packedRoot } from '../../src/data/root.ts';

test('defaults', () => {
  expect(dataOptions.parse({ name: 'cifar10' })).toEqual({
    name: 'cifar10',
    subsetSeed: 0,
    workers: 1,
    onCorrupt: 'error',
  });
  expect(dataOptions.parse({ name: 'digits', augment: [{ name: 'pad-crop' }, { name: 'flip' }] }).augment).toEqual([
    { name: 'pad-crop', padding: 4 },
    { name: 'flip', probability: 0.5 },
  ]);
});

test('every option is described, in the JSON Schema too', () => {
  const { properties } = describeInput(dataOptions);
  expect(Object.keys(properties!)).toEqual(Object.keys(dataOptions.shape));
  for (const [name, property] of Object.entries(properties!)) {
    expect((property as { description?: string }).description, name).toBeTruthy();
  }
});

test.each([
  [{ name: 'mnist' }, ['name']],
  [{ name: 'digits', ratio: 0.5 }, ['ratio']],
  [{ name: 'digits', ratio: Number.NaN }, ['ratio']],
  [{ name: 'digits', mu: 1 }, ['mu']],
  [{ name: 'digits', split: { validation: 1.5 } }, ['split', 'validation']],
  [{ name: 'digits', split: { test: -0.1 } }, ['split', 'test']],
  [{ name: 'digits', split: { validation: 0.5, test: 0.5 } }, ['split']],
  [{ name: 'digits', split: { group: '(' } }, ['split', 'group']],
  [{ name: 'digits', workers: -1 }, ['workers']],
  [{ name: 'digits', subsetSeed: 2 ** 32 }, ['subsetSeed']],
  [{ name: 'digits', std: [0] }, ['std', 0]],
  [{ name: 'digits', augment: [{ name: 'rotate' }] }, ['augment', 0, 'name']],
  [{ name: 'digits', augment: [{ name: 'flip', p: 0.5 }] }, ['augment', 0]],
  [{ name: 'digits', limit: 5 }, []],
])('%o is refused at %o', (input, path) => {
  const { error } = dataOptions.safeParse(input);
  expect(error!.issues.map((issue) => issue.path)).toEqual([path]);
});

test('the root: option, TAILMIX_DATA, cache folder', () => {
  expect(dataRoot('/a', { TAILMIX_DATA: '/b' })).toBe('/a');
  expect(dataRoot(undefined, { TAILMIX_DATA: '/b' })).toBe('/b');
  expect(dataRoot(undefined, { TAILMIX_CACHE: '/c' })).toBe('/c/data');
  expect(packedRoot({ TAILMIX_CACHE: '/c' })).toBe('/c/packed');
});
