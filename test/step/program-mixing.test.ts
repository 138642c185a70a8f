import { beforeAll, describe, expect, test } from 'vitest';
import { loadBackend } from '../../src/backend/load.ts';
import { definePlugin } from '../../src/plugin.ts';
import { signatureFor } from '../../src/step/signature.ts';

import { model, none, prepare } from './program-support.ts';

beforeAll(async () => {
  await loadBackend();
});

describe('where rows are mixed', () => {
  const mixer = definePlugin({
    name: 'mixer',
    options: none,
    provides: ['mix'],
    variants: () => ({ mix: ['stage1', 'none'] }),
    rows: () => ({ extra: { weights: () => Float64Array.of(1, 1) } }),
    apply: () => {},
  });
  const drawn = definePlugin({
    name: 'drawn',
    options: none,
    rows: () => ({ extra: { weights: () => Float64Array.of(1, 1) } }),
    apply: () => {},
  });

  test('rows of a group that nothing mixes reach the input, and no further; where nothing looks them up, they are refused', () => {
    const seen: Parameters<typeof model>[0] = [];
    const reading = definePlugin({
      name: 'drawn',
      options: none,
      rows: () => ({ extra: { weights: () => Float64Array.of(1, 1) } }),
      apply: ({ hooks }) =>
        void hooks.buildLoss.tap('drawn', (loss) => ({
          ...loss,
          adjustLogits: (logits, _, pass) => {
            expect(pass.groups?.['drawn/extra']).toEqual({ start: 2, size: 2 });
            return logits;
          },
        })),
    });
    prepare(model(seen), [reading()]).step();
    expect(seen[0]!.images).toHaveLength(8);
    expect(seen[0]!.stages).toEqual([
      [2, 1, 1, 2],
      [2, 2],
    ]);
    expect(() => prepare(model(), [drawn()]).step()).toThrow(
      /^\[drawn] rows: extra: expected rows that the step reads/,
    );
  });

  test('the whole pool reaches the stage that mixes; one that is no stage of the model mixes nowhere', () => {
    const seen: Parameters<typeof model>[0] = [];
    const { program, step } = prepare(model(seen), [mixer()]);
    step();
    expect(seen[0]!.stages).toEqual([
      [4, 1, 1, 2],
      [2, 2],
    ]);
    expect(signatureFor(program, 'train', { mix: 'none' }).inputs.mixMatrix!.shape).toEqual([2, 4]);
  });

  test('every signature is foreseen: batch sizes × variants, and one for prediction', () => {
    const { program } = prepare(model(), [mixer(), drawn()], { batchSizes: [2, 1] });
    expect(
      program.signatures.map(({ call, variants, inputs }) => [call, variants, inputs.images, inputs.labels?.shape]),
    ).toEqual([
      ['train', { mix: 'stage1' }, { shape: [6, 1, 1, 2], dtype: 'uint8', rows: true }, [2]],
      ['train', { mix: 'none' }, { shape: [6, 1, 1, 2], dtype: 'uint8', rows: true }, [2]],
      ['train', { mix: 'stage1' }, { shape: [3, 1, 1, 2], dtype: 'uint8', rows: true }, [1]],
      ['train', { mix: 'none' }, { shape: [3, 1, 1, 2], dtype: 'uint8', rows: true }, [1]],
      ['predict', {}, { shape: [4, 1, 1, 2], dtype: 'uint8', rows: true }, undefined],
    ]);
  });
});
