import { describe, expect, test } from 'vitest';
import balancedMixup from '../../plugins/balanced-mixup/index.ts';
import balancedSoftmax from '../../plugins/balanced-softmax/index.ts';
import choose from '../../plugins/choose/index.ts';
import cmo from '../../plugins/cmo/index.ts';
import crossEntropy from '../../plugins/cross-entropy/index.ts';
import cutmix from '../../plugins/cutmix/index.ts';
import gcl from '../../plugins/gcl/index.ts';
import ldam from '../../plugins/ldam/index.ts';
import mamix from '../../plugins/mamix/index.ts';
import manifoldMixup from '../../plugins/manifold-mixup/index.ts';
import mixup from '../../plugins/mixup/index.ts';
import remix from '../../plugins/remix/index.ts';
import unimix from '../../plugins/unimix/index.ts';
import type { Plugin } from '../../src/plugin.ts';
import { infoWithCounts, warningsOf } from '../support/plugins.ts';

const linear = infoWithCounts([300, 100, 20], { head: { kind: 'linear', scale: 1 }, epochs: 20 });
const warn = (...plugins: Plugin[]): string[] => warningsOf(plugins, linear);

describe('a label rule with a mixer that leaves it nothing to do', () => {
  const nothing = 'with remix: alpha is 0: nothing is mixed, and no label changes.';
  const twice = 'lambda favours the rarer class already, and labels are moved to it twice. Keep one.';

  test.each([
    ['mixup', mixup({ alpha: 0 }), nothing],
    ['manifold-mixup', manifoldMixup({ alpha: 0 }), nothing],
    ['balanced-mixup', balancedMixup({ alpha: 0 }), nothing],
    ['cutmix', cutmix({ alpha: 0 }), 'with remix: nothing is pasted, and no label changes.'],
    ['cutmix', cutmix({ probability: 0 }), 'with remix: nothing is pasted, and no label changes.'],
    ['cmo', cmo({ alpha: 0 }), 'with remix: nothing is pasted, and no label changes.'],
    ['unimix', unimix(), `with remix: ${twice}`],
  ])('%s', (name, mixer, message) => {
    expect(warn(mixer, remix())).toEqual([`NOT_INTENDED [${name}] ${message}`]);
    expect(warn(remix(), mixer)).toEqual([`NOT_INTENDED [${name}] ${message}`]);
    expect(warn(mixer)).toEqual([]);
  });

  test('with any label rule', () => {
    expect(warn(unimix(), mamix())).toEqual([`NOT_INTENDED [unimix] with mamix: ${twice}`]);
  });

  test('one of several that are drawn is no reason, all of them are', () => {
    const nothingMixed = { plugin: mixup({ alpha: 0 }) };
    expect(warn(choose({ of: [nothingMixed, { plugin: cutmix() }] }), remix())).toEqual([]);
    expect(warn(choose({ of: [nothingMixed, { plugin: cutmix({ alpha: 0 }) }] }), remix())).toEqual([
      'NOT_INTENDED [choose] with remix: alpha is 0: nothing is mixed, and no label changes.',
    ]);
  });

  test.each([[mixup()], [manifoldMixup()], [balancedMixup()], [cutmix()], [cmo()]])(
    '%#: nothing to warn of',
    (mixer) => {
      expect(warn(mixer, remix())).toEqual([]);
    },
  );
});

describe('cosines that nothing scales', () => {
  const warned = (scale: number, ...plugins: Plugin[]) =>
    warningsOf(plugins, { ...linear, head: { kind: 'cosine', scale } });
  const message =
    'NOT_INTENDED [model] head is cosine and scale 1: logits lie between -1 and 1, so that no class ever gets more than 79% of the probability, and little is learnt. Set model.scale to 16 or more, or use a loss that scales the cosines.';

  test('with cross-entropy, said or not, and with other losses of logits', () => {
    // e / (e + 2 / e) = 0.787.
    expect(warned(1)).toEqual([message]);
    expect(warned(1, crossEntropy())).toEqual([message]);
    expect(warned(1, balancedSoftmax())).toEqual([message]);
  });

  test('not where the model or the loss scales them', () => {
    expect(warned(16)).toEqual([]);
    expect(warned(1, ldam())).toEqual([]);
    expect(warned(1, gcl())).toEqual([]);
    expect(warn()).toEqual([]);
  });
});
