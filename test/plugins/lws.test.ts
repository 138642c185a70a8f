import { expect, test } from 'vitest';
import lws, { withScales } from '../../plugins/lws/index.ts';
import { randomStream } from '../../src/random.ts';
import { infoWithCounts, warningsOf } from '../support/plugins.ts';
import { tinyModel } from '../support/squares.ts';
import { describeTwoStage } from '../support/two-stage.ts';

describeTwoStage('lws');

test('scales are 1 at first', () => {
  const added = withScales(tinyModel(), 3).weights.at(-1)!;
  expect(added.initial(randomStream(0, 'init', added.name))).toEqual(Float32Array.of(1, 1, 1));
});

test.each([
  [[], 'backbone and classifier are'],
  [['backbone'], 'classifier is'],
  [['classifier'], 'backbone is'],
  [['backbone', 'classifier'], null],
  [['stage1', 'stage2', 'classifier'], null],
])('with %j frozen, what is trained in addition to the scales is warned of', (freeze, trained) => {
  const start = { init: 'first', reset: [], freeze, frozenNorm: 'batch' } as const;
  expect(warningsOf([lws()], infoWithCounts([300, 100, 20], { start }))).toEqual(
    trained === null
      ? []
      : [`NOT_INTENDED [lws] ${trained} trained in addition to the scales. Set model.freeze: [backbone, classifier].`],
  );
});
