import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cutText, limits, nameProblem, safeName } from '../../../src/tracking/mlflow/index.ts';
import {
  checkArtifactPath,
  checkExperimentName,
  checkModelName,
  toWire,
  wireBatch,
  wireDataset,
} from '../../../src/tracking/mlflow/validate.ts';
import { messageOfError } from '../../support/message.ts';

const point = { key: 'loss', value: 0.5, timestamp: 1_700_000_000_000, step: 1 };
const message = (batch: Parameters<typeof wireBatch>[0]) => messageOfError(() => wireBatch(batch));

describe('what the server would store damaged', () => {
  it('is refused: fractions, half times, texts as numbers, numbers as texts', async () => {
    expect(await message({ metrics: [{ ...point, step: 1.5 }] })).toMatchInlineSnapshot(
      `"metric loss: step: expected a whole number, got 1.5."`,
    );
    expect(await message({ metrics: [{ ...point, timestamp: 1.7e12 + 0.5 }] })).toMatchInlineSnapshot(
      `"metric loss: time: expected whole milliseconds since 1970, got 1700000000000.5."`,
    );
    expect(await message({ metrics: [{ ...point, timestamp: -1 }] })).toContain('got -1');
    expect(await message({ metrics: [{ ...point, value: '0.5' as never }] })).toMatchInlineSnapshot(
      `"metric loss: expected a number, got "0.5"."`,
    );
    expect(await message({ metrics: [{ ...point, value: null as never }] })).toContain('expected a number, got null');
    expect(await message({ params: [{ key: 'lr', value: 0.1 as never }] })).toMatchInlineSnapshot(
      `"param lr: expected a text, got 0.1."`,
    );
    expect(await message({ tags: [{ key: 'emoji', value: '\ud83d' }] })).toContain('expected a text');
    expect(await message({ params: [{ key: 'long', value: 'x'.repeat(6001) }] })).toMatchInlineSnapshot(
      `"param long: expected 6000 characters at most, got "6001 characters"."`,
    );
    expect(await message({ metrics: [{ ...point, datasetName: 'digits' }] })).toContain('name and digest');
  });

  it('is refused: too many at once, a parameter twice', async () => {
    const tags = Array.from({ length: 101 }, (_, i) => ({ key: `t${i}`, value: '' }));
    expect(await message({ tags })).toMatchInlineSnapshot(`"log-batch: expected 100 tags at most, got 101."`);
    const metrics = Array.from({ length: 950 }, (_, step) => ({ ...point, step }));
    expect(await message({ metrics, tags: tags.slice(0, 51) })).toMatchInlineSnapshot(
      `"log-batch: expected 1000 items at most, got 1001."`,
    );
    const param = { key: 'lr', value: '0.1' };
    expect(await message({ params: [param, param] })).toMatchInlineSnapshot(
      `"log-batch: expected each param once, got "lr"."`,
    );
  });

  it('travels by name where JSON has no number', () => {
    expect([1e-7, NaN, Infinity, -Infinity].map(toWire)).toEqual([1e-7, 'NaN', 'Infinity', '-Infinity']);
  });
});

describe('names', () => {
  it.each(['top-5 acc', 'test/balanced_accuracy', 'Verlust ü', '日本', 'a:b.c', 'x'.repeat(250)])(
    'takes %j',
    (name) => {
      expect(nameProblem(name)).toBeNull();
      expect(safeName(name)).toBe(name);
    },
  );

  it.each(['', 'top@5', 'acc(many)', 'a,b', 'a=b', 'a\\b', '/a', 'a/', 'a//b', '.', 'a/../b', 'x'.repeat(251)])(
    'refuses %j',
    async (name) => {
      expect(nameProblem(name)).not.toBeNull();
      expect(await message({ tags: [{ key: name, value: '' }] })).toContain('tag name: expected');
    },
  );

  it('made safe, any text is a name', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => nameProblem(safeName(text)) === null),
    );
  });

  it('of experiments, models and artifacts', async () => {
    expect(await messageOfError(() => checkExperimentName(''))).toMatchInlineSnapshot(
      `"experiment name: expected a text of 1 to 500 characters, got ""."`,
    );
    expect(await messageOfError(() => checkModelName('a/b'))).toMatchInlineSnapshot(
      `"model name: expected none of / : . % " ', got "a/b"."`,
    );
    expect(await messageOfError(() => checkArtifactPath('a/../b'))).toMatchInlineSnapshot(
      `"artifact path: expected parts between / without # % \\, none of them empty, . or .., got "a/../b"."`,
    );
    for (const path of ['a#b', 'a%2e', '/a', 'a/', 'ü'.repeat(128)]) {
      expect(() => checkArtifactPath(path), path).toThrow('artifact path');
    }
    expect(checkArtifactPath('report/a b (1) ü.html')).toBe('report/a b (1) ü.html');
  });
});

it('cuts long texts between characters, and shows it', () => {
  expect(cutText('abc', 3)).toBe('abc');
  expect(cutText('abcd', 3)).toBe('ab…');
  expect(cutText('a😀bc', 3)).toBe('a…');
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 1, max: 30 }), (text, length) => {
      const cut = cutText(text, length);
      return cut.length <= length && !/\p{Surrogate}/u.test(cut);
    }),
  );
});

it('checks data sets', async () => {
  const dataset = { name: 'digits', digest: 'abc', context: 'train', sourceType: 'local', source: '{}' };
  expect(wireDataset(dataset)).toEqual({
    dataset: { name: 'digits', digest: 'abc', source_type: 'local', source: '{}' },
    tags: [{ key: 'mlflow.data.context', value: 'train' }],
  });
  expect(await messageOfError(() => wireDataset({ ...dataset, digest: 'x'.repeat(37) }))).toMatchInlineSnapshot(
    `"data set digest: expected a text of 1 to 36 characters, got "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"."`,
  );
  expect(limits.datasetDigest).toBe(36);
});
