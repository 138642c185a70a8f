import { copySlot, type NamedTensors, type Update, z, zeroSlot } from 'tailmix';

export const NAME = 'schedule-free';

export const options = z.strictObject({
  method: z
    .enum(['sgd', 'adamw'])
    .default('sgd')
    .describe('Steps of the fast weights: gradients, or Adam’s without momentum.'),
  momentum: z
    .number()
    .gt(0)
    .lt(1)
    .default(0.9)
    .describe('β: gradients are taken at β of the average and 1 − β of the fast weights.'),
  weightDecay: z
    .number()
    .min(0)
    .default(2e-4)
    .describe('Decay of the weights that gradients are taken at, as in `train.optimizer`.'),
  beta2: z.number().min(0).lt(1).default(0.999).describe('Decay of the second moment, `adamw`.'),
  epsilon: z.number().positive().default(1e-8).describe('Added to the root of the second moment, `adamw`.'),
  normSteps: z
    .int()
    .min(0)
    .default(50)
    .describe(
      'Last steps of an epoch in which batch norm also averages its statistics at the averaged weights; 0: none.',
    ),
});

type Options = z.output<typeof options>;

const PREFIX = `${NAME}/`;
const SUM = `${PREFIX}sum`;
const LARGEST = `${PREFIX}largest`;
const STEPS = `${PREFIX}steps`;
const fast = (weight: string): string => `${PREFIX}z/${weight}`;
const second = (weight: string): string => `${PREFIX}v/${weight}`;

/** Name of the average of a weight, and of a statistic at the averages. */
const own = (weight: string): string => `${PREFIX}${weight}`;

/**
 * z ← z − γ∇f(y), x ← (1 − c)·x + c·z, y ← (1 − β)·z + β·x, with c = γ²/Σγ² of the largest rate so far (Defazio et al. 2024,
 * eq. 3 to 5 and section 4.3); gradients are taken at y, the model's weights.
 */
export function scheduleFree({ method, momentum, weightDecay, beta2, epsilon }: Options): Update {
  const isAdam = method === 'adamw';
  return {
    slots: (trained, all) => {
      const names = new Set(all.map((weight) => weight.name));
      return [
        ...[SUM, LARGEST, STEPS].map((slot) => zeroSlot(slot)),
        ...trained.flatMap((weight) => [
          copySlot(fast(weight.name), weight),
          ...(names.has(own(weight.name)) ? [] : [copySlot(own(weight.name), weight)]),
          ...(isAdam ? [zeroSlot(second(weight.name), weight.shape)] : []),
        ]),
      ];
    },
    apply(weights, slots, gradients, { inputs: { learningRate } }) {
      const steps = slots[STEPS]!.add(1);
      const rate = learningRate!;
      const missing = steps.mul(Math.log(beta2)).expm1().neg();
      const largest = slots[LARGEST]!.maximum(rate);
      const sum = slots[SUM]!.add(largest.square());
      const share = largest.square().div(sum);
      const next: { weights: NamedTensors; slots: NamedTensors } = {
        weights: {},
        slots: { [STEPS]: steps, [LARGEST]: largest, [SUM]: sum },
      };
      for (const [weight, gradient] of Object.entries(gradients)) {
        const [y, before] = [weights[weight]!, slots[fast(weight)]!];
        let direction = gradient;
        if (isAdam) {
          const v = slots[second(weight)]!.mul(beta2).add(gradient.square().mul(1 - beta2));
          next.slots[second(weight)] = v;
          direction = gradient.div(v.div(missing).sqrt().add(epsilon));
        }
        const z = before.sub(direction.add(y.mul(weightDecay)).mul(rate));
        const isWeight = weights[own(weight)] !== undefined;
        const average = (isWeight ? weights : slots)[own(weight)]!;
        const x = average.add(z.sub(average).mul(share));
        next.slots[fast(weight)] = z;
        next[isWeight ? 'weights' : 'slots'][own(weight)] = x;
        next.weights[weight] = z.add(x.sub(z).mul(momentum));
      }
      return next;
    },
  };
}
