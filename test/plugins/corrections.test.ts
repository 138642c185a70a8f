import { expect, test } from 'vitest';
import balancedSoftmax from '../../plugins/balanced-softmax/index.ts';
import bbn from '../../plugins/bbn/index.ts';
import cdt from '../../plugins/cdt/index.ts';
import drs from '../../plugins/drs/index.ts';
import drw from '../../plugins/drw/index.ts';
import focal from '../../plugins/focal/index.ts';
import ldam from '../../plugins/ldam/index.ts';
import logitAdjustment from '../../plugins/logit-adjustment/index.ts';
import resample from '../../plugins/resample/index.ts';
import reweight from '../../plugins/reweight/index.ts';
import tauNorm from '../../plugins/tau-norm/index.ts';
import vs from '../../plugins/vs/index.ts';
import type { Plugin } from '../../src/plugin.ts';
import { infoWithCounts, warningsOf } from '../support/plugins.ts';

const warnings = (plugins: readonly Plugin[]): string[] =>
  warningsOf(plugins, infoWithCounts([300, 100, 20], { epochs: 200, head: { kind: 'cosine', scale: 16 } }));

const losses = [balancedSoftmax(), logitAdjustment(), logitAdjustment({ mode: 'post-hoc' }), vs()];
const others = [drw(), drs(), resample(), reweight(), reweight({ gamma: 0 }), reweight({ weights: 'inverse' })];

test.each(losses.flatMap((loss) => others.map((other) => [loss, other] as const)))(
  '$0.definition.name and $1.definition.name: warned of, in either order',
  (loss, other) => {
    for (const plugins of [
      [loss, other],
      [other, loss],
    ]) {
      const [first, second] = plugins.map(({ definition }) => definition.name);
      expect(warnings(plugins)).toEqual([
        `NOT_INTENDED [${second}] corrects the class prior, as ${first} does already: rare classes are favoured twice. Keep one.`,
      ]);
    }
  },
);

test.each(
  [bbn(), tauNorm()].flatMap((plugin) =>
    [drw(), resample(), balancedSoftmax()].map((other) => [plugin, other] as const),
  ),
)('$0.definition.name and $1.definition.name: warned of', (plugin, other) => {
  const info = infoWithCounts([300, 100, 20], { epochs: 200, head: { kind: 'linear', scale: 1 } });
  expect(warningsOf([other, plugin], info)).toEqual([
    `NOT_INTENDED [${plugin.definition.name}] corrects the class prior, as ${other.definition.name} does already: rare classes are favoured twice. Keep one.`,
  ]);
});

test.each([
  { title: 'LDAM-DRW', plugins: [ldam(), drw()] },
  { title: 'CDT-DRW', plugins: [cdt(), drw()] },
  { title: 'class-balanced focal', plugins: [focal(), reweight()] },
  { title: 'LDAM-DRS', plugins: [ldam(), drs()] },
  { title: 'tau 0', plugins: [logitAdjustment({ tau: 0 }), drw()] },
  { title: 'vs as cdt', plugins: [vs({ tau: 0 }), drw()] },
  { title: 'equal weights', plugins: [balancedSoftmax(), reweight({ weights: 'inverse', gamma: 0 })] },
  { title: 'weights of the user', plugins: [balancedSoftmax(), reweight({ weights: 'custom', custom: [1, 1, 1] })] },
  { title: 'DRW with beta 0', plugins: [balancedSoftmax(), drw({ beta: 0 })] },
  { title: 'one alone', plugins: [balancedSoftmax()] },
])('$title: nothing to warn of', ({ plugins }) => {
  expect(warnings(plugins)).toEqual([]);
});

test('tau-norm with tau 0 corrects nothing', () => {
  const info = infoWithCounts([300, 100, 20], { epochs: 200, head: { kind: 'linear', scale: 1 } });
  expect(warningsOf([drw(), tauNorm({ tau: 0 })], info)).toEqual([]);
});

test('two losses are refused', () => {
  expect(() => warnings([focal(), balancedSoftmax()])).toThrowErrorMatchingInlineSnapshot(`
    [TailmixError: plugins[0] (focal) and plugins[1] (balanced-softmax) both provide "loss", and a run has one.
      Remove one of them.]
  `);
});
