import { expect, test } from 'vitest';
import lws from '../../plugins/lws/index.ts';
import { infoWithCounts, warningsOf } from '../support/plugins.ts';
import { describeTwoStage } from '../support/two-stage.ts';

describeTwoStage('lws');

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
