import { definePlugin, type Gradients, globalNorm, type NamedTensors, z } from 'tailmix';

const name = 'sam';

const options = z.strictObject({
  rho: z.number().min(0).default(0.05).describe('Radius of the neighbourhood, in the norm of all weights together.'),
  adaptive: z
    .boolean()
    .default(false)
    .describe('ASAM: the neighbourhood is measured in units of each weight’s own size; try a rho of 0.5 to 2.'),
});

type Options = z.output<typeof options>;

/** Keeps a gradient of zero from dividing by zero; the number of the authors' code. */
const TINY = 1e-12;

/**
 * Where the loss is highest near `weights`, to first order: w + ρ·g / ‖g‖, and for ASAM w + ρ·w²·g / ‖w·g‖.
 *
 * @param gradients - by name; a weight without one stays where it is
 */
export function ascend(weights: NamedTensors, gradients: NamedTensors, { rho, adaptive }: Options): NamedTensors {
  const sized = (name: string, tensor: NamedTensors[string]): NamedTensors[string] =>
    adaptive ? tensor.mul(weights[name]!.abs()) : tensor;
  const scaled = Object.fromEntries(Object.entries(gradients).map(([name, gradient]) => [name, sized(name, gradient)]));
  const scale = globalNorm(scaled).add(TINY).reciprocal().mul(rho);
  const climbed = Object.entries(scaled).map(([name, gradient]) => [
    name,
    weights[name]!.add(sized(name, gradient).mul(scale)),
  ]);
  return { ...weights, ...Object.fromEntries(climbed) };
}

/**
 * The gradient at the worst point of the neighbourhood, from two backward passes over the same batch. Loss, penalties,
 * outputs and batch statistics are those of the first pass, at the weights themselves.
 */
export const sharpnessAware =
  (gradients: Gradients, options: Options): Gradients =>
  (weights, pass) => {
    const here = gradients(weights, pass);
    const there = gradients(ascend(weights, here.gradients, options), pass);
    return { ...here, gradients: there.gradients };
  };

/**
 * Sharpness-aware minimisation: descends by the gradient at the worst point near the weights, w + ρ·g/‖g‖.
 *
 * @example
 * ```ts
 * createTrainer({ data: { name: 'digits' }, model: { name: 'mlp' }, plugins: [sam({ rho: 0.05 })] });
 * ```
 * @example
 * ```yaml
 * plugins:
 *   - use: sam
 *     rho: 0.05
 * ```
 * @see Foret et al., Sharpness-Aware Minimization for Efficiently Improving Generalization, ICLR 2021,
 *   https://arxiv.org/abs/2010.01412, algorithm 1
 */
export default definePlugin({
  name,
  options,
  apply({ hooks, warn }, { rho, adaptive }) {
    if (rho === 0) warn('NO_EFFECT', 'rho is 0: the gradient is the plain one.');
    else hooks.buildGradients.tap(name, (gradients) => sharpnessAware(gradients, { rho, adaptive }));
  },
});
