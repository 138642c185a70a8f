// Plugins that a run can have at once, as many as a bench asks for.
import { registry } from '../../dist/plugins/index.js';
import { z } from '../../dist/src/index.js';
import { definePlugin } from '../../dist/src/plugin.js';

/** A run has one loss, one mixer, one rule for labels: so many of the built-in plugins go together on one network. */
const TOGETHER =
  'mixup remix drw lr-schedule balanced-softmax checkpoint tracking ema grad-clip label-aware-smoothing ' +
  'bcl curriculum-augmentation drs grad-accumulation layer-norm-tuning lookahead lws mlflow progress reweight sam weight-balancing';

/**
 * Plugins of one run: the built-in ones first, then ones of one's own that tap a hook of the step and one of the graph.
 *
 * @param {number} count
 */
export async function realPlugins(count) {
  const names = TOGETHER.split(' ').slice(0, count);
  const own = (name) =>
    definePlugin({
      name,
      options: z.strictObject({}),
      apply({ hooks }) {
        hooks.onBatch.tap(name, (batch) => batch);
        hooks.buildLoss.tap(name, (loss) => loss);
      },
    })();
  return [
    ...(await Promise.all(names.map(async (name) => (await registry[name]()).default()))),
    ...Array.from({ length: count - names.length }, (_, i) => own(`own-${i}`)),
  ];
}
