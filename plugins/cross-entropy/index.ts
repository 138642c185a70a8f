import { definePlugin, softmaxCrossEntropy, z } from 'tailmix';

const name = 'cross-entropy';

/** Softmax cross-entropy, said explicitly: it is also what a run without a loss has. */
export default definePlugin({
  name,
  options: z.strictObject({}),
  provides: ['loss'],
  apply({ hooks }) {
    hooks.buildLoss.tap(name, (loss) => ({ ...loss, termLoss: softmaxCrossEntropy }));
  },
});
