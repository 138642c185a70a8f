import { describe, expect, test } from 'vitest';
import manifoldMixup, { mixingStages } from '../../plugins/manifold-mixup/index.ts';
import remix from '../../plugins/remix/index.ts';
import { compose } from '../../src/compose/compose.ts';
import { smallInfo } from '../support/info.ts';
import { at, infoWithCounts, mixBatch, warningsOf } from '../support/plugins.ts';

const resnet32 = ['input', 'stage1', 'stage2', 'stage3', 'pool'];

describe('mixingStages', () => {
  test('are input, stage1 and stage2 where the model has them', () => {
    expect(mixingStages(undefined, resnet32)).toEqual(['input', 'stage1', 'stage2']);
    expect(mixingStages(undefined, ['input', 'stage1', 'pool'])).toEqual(['input', 'stage1']);
  });

  test('are those asked for, each once', () => {
    expect(mixingStages(['pool', 'input', 'pool'], resnet32)).toEqual(['pool', 'input']);
  });

  test('refuses one that the model does not have', () => {
    expect(() =>
      compose([manifoldMixup({ stages: ['input', 'stage4'] })], smallInfo({ modelStages: resnet32 })),
    ).toThrowErrorMatchingInlineSnapshot(
      `[TailmixError: [manifold-mixup] stages: expected stages of the model (input, stage1, stage2, stage3, pool), got "stage4". Leave it out, or choose another model.]`,
    );
  });
});

describe('the plugin', () => {
  const labels = Int32Array.from({ length: 32 }, (_, i) => i % 4);
  const info = smallInfo({ modelStages: resnet32 });

  test('declares the stages as variants and draws one for each batch, all alike', () => {
    const composition = compose([manifoldMixup()], info);
    expect(composition.variants).toEqual({ mix: ['input', 'stage1', 'stage2'] });
    const counts: Record<string, number> = {};
    for (let step = 1; step <= 900; step++) {
      const { mix } = mixBatch(composition, labels, at(1, step)).batch.variants;
      counts[mix!] = (counts[mix!] ?? 0) + 1;
    }
    expect(Object.keys(counts).sort()).toEqual(['input', 'stage1', 'stage2']);
    for (const count of Object.values(counts)) expect(Math.abs(count - 300)).toBeLessThan(60);
  });

  test('partners and lambda are drawn as in mixup, whatever the stage', () => {
    const { batch, targets } = mixBatch(compose([manifoldMixup({ lambda: 'sample' })], info), labels, at(1));
    expect(Array.from(batch.pair).sort((a, b) => a - b)).toEqual(Array.from(Array(32).keys()));
    expect(new Set(batch.lambda).size).toBeGreaterThan(16);
    expect(targets.labelWeight).toEqual(batch.lambda);
    expect(new Set(mixBatch(compose([manifoldMixup()], info), labels, at(1)).batch.lambda).size).toBe(1);
  });

  test('a label rule has nothing to do with alpha 0, and only then', () => {
    const info = infoWithCounts([300, 100, 20], { modelStages: resnet32 });
    expect(warningsOf([manifoldMixup({ alpha: 0 }), remix()], info)).toMatchInlineSnapshot(`
      [
        "NOT_INTENDED [manifold-mixup] with remix: alpha is 0: nothing is mixed, and no label changes.",
      ]
    `);
    expect(warningsOf([manifoldMixup(), remix()], info)).toEqual([]);
  });
});
