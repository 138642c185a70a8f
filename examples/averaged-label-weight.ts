import { definePlugin, Order, z } from 'tailmix';

const name = 'averaged-label-weight';

/** Every weight as the mean of all. */
export function averaged(labelWeight: Float32Array): Float32Array {
  const mean = labelWeight.reduce((sum, weight) => sum + weight, 0) / labelWeight.length;
  return new Float32Array(labelWeight.length).fill(mean);
}

/**
 * Gives every sample the batch's mean label weight. **This is a mistake**, and here to be measured: two public implementations of Remix
 * average the losses of both labels over the batch before they weight them, which comes to the same and undoes what Remix does for each
 * pair. results/remix compares it with the rule of the paper.
 */
export default definePlugin({
  name,
  options: z.strictObject({}),
  requires: ['relabel'],
  apply({ hooks }) {
    hooks.computeTargets.tap({ name, stage: Order.Relabel + 1 }, (targets) => ({
      ...targets,
      labelWeight: averaged(targets.labelWeight),
    }));
  },
});
